//! Arguments of the commands whose results people look at.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Subcommand};

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

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Train every method on built-in data of which the true utility is known, and rank them
    Methods(BenchMethodsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BenchMethodsArgs {
    /// Folder for everything that is made; the same command goes on there
    #[arg(long, value_name = "DIR", default_value = "sepo-bench-methods")]
    pub(crate) out: PathBuf,
    /// How many seeds
    #[arg(long, value_name = "N", default_value = "3")]
    pub(crate) seeds: NonZeroU64,
    /// The first of them
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) first_seed: u64,
    /// Only this method; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Preference pairs
    #[arg(long, value_name = "N", default_value = "1600")]
    pub(crate) pairs: NonZeroUsize,
    /// Texts that the base model learns from
    #[arg(long, value_name = "N", default_value = "8000")]
    pub(crate) base_texts: NonZeroUsize,
    /// Prompts to choose a learning rate on; twice as many to judge on
    #[arg(long, value_name = "N", default_value = "150")]
    pub(crate) prompts: NonZeroUsize,
    /// Learning rates of which each method gets its best
    #[arg(long, value_name = "X", value_delimiter = ',', default_value = "3e-4,1e-3", num_args = 1..)]
    pub(crate) learning_rates: Vec<f64>,
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
