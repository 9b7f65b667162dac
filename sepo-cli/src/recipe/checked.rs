//! A recipe that makes sense.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use sepo_data::TokenizeConfig;
use sepo_loss::Objective;
use sepo_select::SelectConfig;
use sepo_train::TrainConfig;

use super::place::Places;
use super::section::{DataSection, EvalSection, HashesSection, OracleSection, ScoreSection};
use crate::args::ObjectiveChoice;
use crate::memory::Memory;
use crate::provenance::OnChange;

/// A pipeline with every setting resolved and every path relative to where the program runs, or absolute.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) file: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) threads: Option<NonZeroUsize>,
    pub(crate) memory: Memory,
    /// What happens where an input or a result is not what a record says.
    pub(crate) on_change: OnChange,
    pub(super) data: DataSection,
    pub(super) tokens: TokenizeConfig,
    /// The base, or the reference where only that was given.
    pub(super) base: PathBuf,
    pub(super) reference: Option<PathBuf>,
    pub(super) policy: PathBuf,
    pub(super) oracle: OracleSection,
    pub(super) oracle_train: TrainConfig,
    pub(super) score: ScoreSection,
    pub(super) select: SelectConfig,
    pub(super) objective: Objective,
    pub(super) objective_choice: ObjectiveChoice,
    pub(super) train: TrainConfig,
    pub(super) eval: EvalSection,
    /// What inputs must be.
    pub(super) hashes: HashesSection,
    /// Where every setting stands, for errors that name one.
    pub(super) places: Places,
}
