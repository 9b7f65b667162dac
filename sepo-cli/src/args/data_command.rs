//! Arguments of `sepo-cli data`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{InputArgs, MachineArgs, TokenArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Format, counts, lengths, unusable rows
    Check(CheckArgs),
    /// One row: text, ids, boundary, template, which tokens are response
    Show(ShowArgs),
    /// Rewrite pairs as JSON lines or Parquet
    Convert(ConvertArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Model folder whose tokenizer counts lengths [default: lengths in bytes]
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Unusable rows that are listed
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) show_bad_rows: usize,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Row over all files, from 0
    #[arg(long, value_name = "N")]
    pub(crate) row: u64,
    /// Model folder whose tokenizer is used
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// File to write: `.jsonl` or `.parquet`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
