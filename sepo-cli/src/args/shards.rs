//! How scores are made in shards.

use std::num::NonZeroUsize;

use clap::Args;
use sepo_data::OtherRun;

/// Flags of commands whose result is made in shards.
#[derive(Debug, Clone, Args)]
pub(crate) struct ShardArgs {
    /// Tokens of a shard: what a run that is killed loses at most
    #[arg(long, value_name = "N", default_value = "262144")]
    pub(crate) tokens_per_shard: NonZeroUsize,
    /// Start over: remove what an earlier run has left in `OUT.parts`
    #[arg(long)]
    pub(crate) restart: bool,
}

impl ShardArgs {
    /// What happens to the shards of another run.
    pub(crate) fn other_run(&self) -> OtherRun {
        if self.restart { OtherRun::StartOver } else { OtherRun::Refuse }
    }
}
