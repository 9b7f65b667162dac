//! Arguments of `sepo-cli run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ChangeArgs, MachineArgs, MemoryArgs};

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
    /// Time from now at which a checkpoint must be complete, such as 3h30m; stops with exit code 5
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) save_by: Option<Duration>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
