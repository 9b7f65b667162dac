//! What something was made from: kept with every artifact and model folder, and believed only as far as hashes agree.
//!
//! A [`Record`] stands in `sepo.json` of a model folder, under `record` in the metadata of scores and selections, and in
//! `NAME.sepo.json` beside a file that has no place for it. It names the stage with every setting that decides its result, every input by content, and what was written; nothing in
//! it depends on time, on threads or on whether a run was interrupted. [`Origin`] gathers the inputs of a stage and holds
//! them against what their own records say; [`model_folder`] writes the record and the model card.

mod accepted;
mod card;
mod card_text;
mod content;
mod hub;
mod lineage;
mod locate;
mod origin;
mod place;
mod record;
mod settings;
mod store;
mod subject;
mod write;

pub(crate) use accepted::{Accepted, OnChange};
pub(crate) use content::{Content, differences, digest as content_digest, of_model as model_contents};
pub(crate) use lineage::{Node, State, lineage, unlike_its_record};
pub(crate) use locate::Located;
pub(crate) use origin::Origin;
pub(crate) use place::without_credentials;
pub(crate) use record::{Input, InputKind, Record};
pub(crate) use settings::{
    ClassifierSettings, ConvertSettings, ExportSettings, GenerateSettings, ImportSettings, JudgeSettings,
    OracleSettings, ProjectSettings, ScoreSettings, SftSettings, SplitSettings, TrainSettings, recorded,
    to_value,
};
pub(crate) use store::{RECORD_FILE, RECORD_KEY};
pub(crate) use subject::Subject;
pub(crate) use write::{Counts, beside, classifier_folder, counts, forget, model_folder};
