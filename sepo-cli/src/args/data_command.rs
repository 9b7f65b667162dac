//! Arguments of `sepo-cli data`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use sepo_data::EvalFraction;

use super::{ChangeArgs, InputArgs, MachineArgs, MemoryArgs, TokenArgs};
use crate::memory::ByteSize;

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Format, counts, lengths, unusable rows
    Check(CheckArgs),
    /// One row: text, ids, boundary, template, which tokens are response
    Show(ShowArgs),
    /// Rewrite pairs as JSON lines or Parquet
    Convert(ConvertArgs),
    /// Write pairs as two files, to train on and to measure on: a pair goes where a hash of its content says
    Split(SplitArgs),
    /// Write built-in pairs, as many as you like, of which it is known which tokens matter
    Generate(GenerateDataArgs),
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
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// Share of the pairs that is held out
    #[arg(long, value_name = "SHARE")]
    pub(crate) eval_fraction: EvalFraction,
    /// File for the pairs to train on: `.jsonl` or `.parquet`
    #[arg(long, value_name = "FILE")]
    pub(crate) out_train: PathBuf,
    /// File for the pairs that are held out
    #[arg(long, value_name = "FILE")]
    pub(crate) out_eval: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("amount").required(true).args(["pairs", "size"])))]
pub(crate) struct GenerateDataArgs {
    /// File to write: `.jsonl` or `.parquet`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// So many pairs
    #[arg(long, value_name = "N")]
    pub(crate) pairs: Option<usize>,
    /// So much text, such as `4GiB`; the file is somewhat larger or, compressed, smaller
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<ByteSize>,
    /// How noisy labels are; above 0
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) temperature: f64,
    /// Seed of all draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
