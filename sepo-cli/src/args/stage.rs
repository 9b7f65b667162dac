//! The subcommands' own arguments.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sepo_select::KeepFraction;

use super::{DataArgs, MachineArgs, ObjectiveArgs, ObjectiveName, TokenArgs, TrainArgs};

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
    /// Files, folders or globs
    #[arg(required = true, value_name = "DATA")]
    pub(crate) inputs: Vec<String>,
    /// Model folder whose tokenizer counts lengths [default: lengths in bytes]
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Unusable rows that are listed
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) show_bad_rows: usize,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Files, folders or globs
    #[arg(required = true, value_name = "DATA")]
    pub(crate) inputs: Vec<String>,
    /// Row over all files, from 0
    #[arg(long, value_name = "N")]
    pub(crate) row: u64,
    /// Model folder whose tokenizer is used
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// Files, folders or globs
    #[arg(required = true, value_name = "DATA")]
    pub(crate) inputs: Vec<String>,
    /// File to write: `.jsonl` or `.parquet`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SftArgs {
    /// Model folder to start from
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// Pairs, whose chosen responses are learned
    #[arg(long, value_name = "DATA", required = true, num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// Model folder to write
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) read: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OracleArgs {
    /// Base model folder
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// Pairs
    #[arg(long, value_name = "DATA", required = true, num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// Folder for `reference` and `oracle`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// A reference to use, instead of fine-tuning one
    #[arg(long, value_name = "DIR")]
    pub(crate) reference: Option<PathBuf>,
    /// Share of the pairs that reference and oracle see; the rest measures them
    #[arg(long, value_name = "SHARE", default_value_t = 0.3)]
    pub(crate) oracle_fraction: f64,
    /// Held-out pairs that are measured
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) eval_pairs: usize,
    /// Learning rate of the reference's fine-tuning
    #[arg(long, value_name = "LR", default_value_t = 1e-5, conflicts_with = "reference")]
    pub(crate) reference_learning_rate: f64,
    /// Passes of the reference's fine-tuning
    #[arg(long, value_name = "N", default_value_t = 1.0, conflicts_with = "reference")]
    pub(crate) reference_epochs: f64,
    /// Scale of DPO's implicit reward
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    pub(crate) beta: f64,
    /// Assumed share of flipped labels
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) label_smoothing: f64,
    #[command(flatten)]
    pub(crate) read: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Oracle's model folder
    #[arg(long, value_name = "DIR")]
    pub(crate) oracle: PathBuf,
    /// Reference's model folder
    #[arg(long, value_name = "DIR")]
    pub(crate) reference: PathBuf,
    /// Pairs
    #[arg(long, value_name = "DATA", required = true, num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Tokens of a forward pass; a longer pair runs alone
    #[arg(long, value_name = "N", default_value_t = 8192)]
    pub(crate) tokens_per_batch: usize,
    #[command(flatten)]
    pub(crate) read: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuleArg {
    /// The highest scores of the chosen, the lowest of the rejected response
    Sepo,
    /// The largest absolute scores of both
    Salience,
    /// Chosen scores from `--threshold` up, rejected ones from its negative down
    Threshold,
    /// As many as sepo, drawn at random
    Random,
    /// Every token
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EosArg {
    /// A token like any other
    Rule,
    /// Never selected
    Never,
    /// Selected on both sides
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct SelectArgs {
    /// `scores.parquet`
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: PathBuf,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Share of each chosen response [default: 0.3]
    #[arg(long, value_name = "SHARE")]
    pub(crate) keep_chosen: Option<KeepFraction>,
    /// Share of each rejected response [default: 0.3]
    #[arg(long, value_name = "SHARE")]
    pub(crate) keep_rejected: Option<KeepFraction>,
    /// Which tokens
    #[arg(long, value_enum, default_value_t = RuleArg::Sepo)]
    pub(crate) rule: RuleArg,
    /// Smallest score, for `--rule threshold`
    #[arg(long, value_name = "NATS", allow_negative_numbers = true, required_if_eq("rule", "threshold"))]
    pub(crate) threshold: Option<f64>,
    /// Seed, for `--rule random` [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// What happens to the closing end-of-sequence token
    #[arg(long, value_enum, default_value_t = EosArg::Rule)]
    pub(crate) eos: EosArg,
    /// Count as the paper's script does; the first response token is never a candidate
    #[arg(long)]
    pub(crate) official_compat: bool,
    /// Model folder whose tokenizer tells classes of tokens apart
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TrainCommandArgs {
    /// Model folder to start from
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// `selection.parquet`, or pairs
    #[arg(long, value_name = "DATA", required = true, num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// Loss
    #[arg(long, value_enum)]
    pub(crate) objective: ObjectiveName,
    /// Frozen reference, for objectives that compare with one
    #[arg(long, value_name = "DIR")]
    pub(crate) reference: Option<PathBuf>,
    /// Model folder to write
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Pairs to evaluate on during training
    #[arg(long, value_name = "DATA", num_args = 1..)]
    pub(crate) eval_data: Vec<String>,
    /// Steps between evaluations [default: at the end only]
    #[arg(long, value_name = "STEPS", requires = "eval_data")]
    pub(crate) eval_every: Option<u64>,
    #[command(flatten)]
    pub(crate) objective_settings: ObjectiveArgs,
    #[command(flatten)]
    pub(crate) read: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// Model folder
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// Frozen reference, for implicit rewards
    #[arg(long, value_name = "DIR")]
    pub(crate) reference: Option<PathBuf>,
    /// Pairs
    #[arg(long, value_name = "DATA", required = true, num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// Scale of the implicit reward
    #[arg(long, value_name = "X", default_value_t = 0.1, requires = "reference")]
    pub(crate) beta: f64,
    /// Tokens of a forward pass; a longer pair runs alone
    #[arg(long, value_name = "N", default_value_t = 8192)]
    pub(crate) tokens_per_batch: usize,
    #[command(flatten)]
    pub(crate) read: DataArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

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
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) max_new_tokens: usize,
    /// Divides the logits; 0 takes the most likely token every time
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) temperature: f64,
    /// Draw from the smallest set of tokens that reaches this probability
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub(crate) top_p: f64,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// `model`, `chatml`, `plain`, or a file with a Jinja template
    #[arg(long, value_name = "TEMPLATE", default_value = "model")]
    pub(crate) chat_template: String,
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
    /// Model folder whose tokenizer names the tokens
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: PathBuf,
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
