//! Arguments of the commands about where things come from.

use std::path::PathBuf;

use clap::Args;

use super::{ChangeArgs, MachineArgs, MemoryArgs};

#[derive(Debug, Args)]
pub(crate) struct LineageArgs {
    /// A model folder, `scores.parquet`, `selection.parquet`, or a folder that holds such
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// End with code 3 where something is not there, or is not what was recorded
    #[arg(long)]
    pub(crate) check: bool,
    /// Print the trees as one JSON array on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// A model folder, `scores.parquet`, `selection.parquet`, or a folder that holds such
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Folder to make it again in, and to keep; the same command then goes on after an interruption
    /// [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
