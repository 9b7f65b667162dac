//! Arguments of `sepo-cli weights`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sepo_select::project::Projection;
use sepo_select::{RejectedWeights, Unit};

use super::{ChangeArgs, MachineArgs, PairArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum WeightsCommand {
    /// Make a selection of weights that others have made, one a token or one a span of the response text
    Import(ImportArgs),
    /// Write a selection's ids and weights as JSON lines or Parquet, for other programs
    Export(ExportArgs),
    /// Carry a selection over to the tokens of another tokenizer
    Project(ProjectArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProjectionArg {
    /// Undivided, to the token that shares most bytes; keeps the total
    Sum,
    /// The mean of all that share a byte with a token
    Mean,
    /// The largest of all that share a byte with a token
    Max,
    /// Divided by the bytes shared; keeps the total
    Proportional,
}

impl From<ProjectionArg> for Projection {
    fn from(how: ProjectionArg) -> Self {
        match how {
            ProjectionArg::Sum => Self::Sum,
            ProjectionArg::Mean => Self::Mean,
            ProjectionArg::Max => Self::Max,
            ProjectionArg::Proportional => Self::Proportional,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnitArg {
    /// Bytes in UTF-8
    Bytes,
    /// Unicode code points, as Python counts
    Characters,
}

impl From<UnitArg> for Unit {
    fn from(unit: UnitArg) -> Self {
        match unit {
            UnitArg::Bytes => Self::Bytes,
            UnitArg::Characters => Self::Characters,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RejectedArg {
    /// Weights
    Same,
    /// One minus weights, where the file says what is good on either side: Mask-DPO's labels of facts
    OneMinus,
    /// Weights of the other sign
    Negate,
}

impl From<RejectedArg> for RejectedWeights {
    fn from(rejected: RejectedArg) -> Self {
        match rejected {
            RejectedArg::Same => Self::Same,
            RejectedArg::OneMinus => Self::OneMinus,
            RejectedArg::Negate => Self::Negate,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// `.jsonl` or `.parquet`: lists of numbers, one a response token, or of `{start, end, weight}`
    #[arg(value_name = "WEIGHTS")]
    pub(crate) weights: PathBuf,
    /// `selection.parquet` to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The policy's model folder, or one with its tokenizer
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: PathBuf,
    /// Column with the weights of chosen responses
    #[arg(long, value_name = "NAME", default_value = "chosen_weights")]
    pub(crate) chosen_weights: String,
    /// Column with the weights of rejected responses
    #[arg(long, value_name = "NAME", default_value = "rejected_weights")]
    pub(crate) rejected_weights: String,
    /// Column with the row in the data; without such a column, rows are in the data's order
    #[arg(long, value_name = "NAME", default_value = "row")]
    pub(crate) row: String,
    /// What spans count
    #[arg(long, value_enum, default_value_t = UnitArg::Bytes)]
    pub(crate) unit: UnitArg,
    /// How the weight of a span reaches its tokens
    #[arg(long, value_enum, default_value_t = ProjectionArg::Mean)]
    pub(crate) how: ProjectionArg,
    /// What the numbers of rejected responses are
    #[arg(long, value_enum, default_value_t = RejectedArg::Same)]
    pub(crate) rejected: RejectedArg,
    /// Keep pairs with a response whose numbers are all 0: they are labels for `classify train`, of which 0 is one
    #[arg(long)]
    pub(crate) labels: bool,
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// `selection.parquet`
    #[arg(value_name = "SELECTION")]
    pub(crate) selection: PathBuf,
    /// `.jsonl` or `.parquet` to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Write the bytes of the response text that each token stands for, too
    #[arg(long)]
    pub(crate) spans: bool,
    /// `scores.parquet` that the spans are taken from [default: the one that the selection was made of]
    #[arg(long, value_name = "FILE", requires = "spans")]
    pub(crate) scores: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ProjectArgs {
    /// `selection.parquet`, made with the oracle's tokenizer
    #[arg(value_name = "SELECTION")]
    pub(crate) selection: PathBuf,
    /// `selection.parquet` to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The policy's model folder, or one with its tokenizer
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer: PathBuf,
    /// How a weight reaches the policy's tokens
    #[arg(long, value_enum)]
    pub(crate) how: ProjectionArg,
    /// `scores.parquet` that the selection was made of [default: where it says it was]
    #[arg(long, value_name = "FILE")]
    pub(crate) scores: Option<PathBuf>,
    /// The oracle's model folder, for its chat template where the policy's is another [default: where the scores say it was]
    #[arg(long, value_name = "DIR")]
    pub(crate) oracle: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
