//! Arguments of the commands whose results people look at.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::{MachineArgs, TemplateArgs};

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// Model folder
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// JSON lines with `prompt` (a string or messages), or plain text, one prompt a line
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: PathBuf,
    /// JSON lines to write: `prompt`, `response`, `n_tokens`, `finished`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Tokens of a response at most
    #[arg(long, value_name = "N", default_value = "256")]
    pub(crate) max_new_tokens: NonZeroUsize,
    /// Divides the logits; 0 takes the most likely token every time
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) temperature: f64,
    /// Draw from the smallest set of tokens that reaches this probability [default: 1]
    #[arg(long, value_name = "P")]
    pub(crate) top_p: Option<f64>,
    /// Seed of the draws [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) template: TemplateArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// `scores.parquet`
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: PathBuf,
    /// Row in the source
    #[arg(long, value_name = "N")]
    pub(crate) row: u64,
    /// Model folder whose tokenizer names the tokens [default: the oracle's, where it still lies there; else ids]
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// `selection.parquet` whose choice is marked [default: sepo at 0.3]
    #[arg(long, value_name = "FILE")]
    pub(crate) selection: Option<PathBuf>,
    /// Write a page instead of drawing in the terminal
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Folder of a run
    #[arg(value_name = "RUN_DIR")]
    pub(crate) run: PathBuf,
    /// File to write [default: `report.html` in the folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// Folder for everything that is made
    #[arg(long, value_name = "DIR", default_value = "sepo-quickstart")]
    pub(crate) out: PathBuf,
    /// Seed of data, weights, order and samples
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
