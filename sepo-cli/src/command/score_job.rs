//! What is to be scored, by what, and how.

use std::path::Path;

use sepo_data::{OtherRun, TokenizeConfig};
use sepo_model::Dtype;
use sepo_select::ShardConfig;

use crate::args::DataArgs;
use crate::memory::Memory;
use crate::provenance::OnChange;

/// Everything that decides scores.
#[derive(Debug)]
pub(crate) struct ScoreJob<'a> {
    /// Oracle's model folder; the tokenizer is taken from it.
    pub(crate) oracle: &'a Path,
    pub(crate) reference: &'a Path,
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) shards: ShardConfig,
    pub(crate) dtype: Dtype,
    pub(crate) memory: Memory,
    /// What happens to shards that were left by a run on other inputs or with other settings.
    pub(crate) other: OtherRun,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// `scores.parquet`, which appears only when complete.
    pub(crate) out: &'a Path,
}
