//! Arguments of `sepo-cli run`.

use std::path::PathBuf;

use clap::Args;

use super::{MachineArgs, MemoryArgs};

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// TOML file with the sections run, data, tokens, models, oracle, score, select, train, eval
    #[arg(value_name = "RECIPE")]
    pub(crate) recipe: PathBuf,
    /// Replace a setting, such as `select.keep_chosen=0.5`; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Say what would run and what would be skipped, and why; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
