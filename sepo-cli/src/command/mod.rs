//! One file a subcommand: arguments in, libraries called, results printed. What runs several of them lies beside: [`crate::recipe`],
//! [`crate::reproduce`], [`crate::quickstart`], [`crate::methods`].

mod bad_rows;
pub(crate) mod classify;
pub(crate) mod data_check;
pub(crate) mod data_convert;
pub(crate) mod data_generate;
pub(crate) mod data_show;
pub(crate) mod data_split;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod lineage;
pub(crate) mod objectives;
pub(crate) mod oracle;
pub(crate) mod report;
pub(crate) mod score;
mod score_identity;
mod score_job;
mod score_record;
mod score_result;
pub(crate) mod select;
mod select_config;
pub(crate) mod sft;
mod stage;
pub(crate) mod train;
pub(crate) mod train_data;
pub(crate) mod weights;

pub(crate) use explain::heatmap;
pub(crate) use report::{curves, find_runs};
