//! Arguments of the pipeline's stages.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::shards::ShardArgs;
use super::train::DtypeArg;
use super::watch::BestArg;
use super::{
    ChangeArgs, DataArgs, ForwardArgs, HeldOutArgs, MachineArgs, MemoryArgs, ObjectiveArgs, ObjectiveName,
    PairArgs, TokenArgs, TrainArgs,
};

#[derive(Debug, Args)]
pub(crate) struct SftArgs {
    /// Model folder to start from
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// Model folder to write
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    #[command(flatten)]
    pub(crate) held_out: HeldOutArgs,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OracleArgs {
    /// Base model folder
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
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
    pub(crate) pairs: PairArgs,
    #[command(flatten)]
    pub(crate) held_out: HeldOutArgs,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
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
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What matrix products compute in; bf16 moves a score by about 0.02 nats
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub(crate) dtype: DtypeArg,
    #[command(flatten)]
    pub(crate) forward: ForwardArgs,
    #[command(flatten)]
    pub(crate) shards: ShardArgs,
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    #[command(flatten)]
    pub(crate) held_out: HeldOutArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("measured").multiple(true).args(["eval_data", "eval_fraction"])))]
pub(crate) struct TrainCommandArgs {
    /// Model folder to start from
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// `selection.parquet`, or pairs
    #[arg(long, value_name = "DATA", required = true, num_args = 1..)]
    pub(crate) data: Vec<String>,
    /// Loss; `sepo-cli objectives` lists them with their needs
    #[arg(
        long,
        value_name = "NAME",
        value_parser = ObjectiveName::parser(),
        hide_possible_values = true,
        required_unless_present = "objective_file"
    )]
    pub(crate) objective: Option<ObjectiveName>,
    /// A loss that is composed in a TOML file, below `[objective]`; `sepo-cli objectives NAME` prints one to begin with
    #[arg(long, value_name = "FILE", conflicts_with_all = ["objective", "ObjectiveArgs"])]
    pub(crate) objective_file: Option<PathBuf>,
    /// Frozen reference, for objectives that compare with one
    #[arg(long, value_name = "DIR")]
    pub(crate) reference: Option<PathBuf>,
    /// Frozen model aligned by DPO, for objectives that distil one
    #[arg(long, value_name = "DIR")]
    pub(crate) teacher: Option<PathBuf>,
    /// Frozen model aligned by DPO on exchanged responses, from which the teacher is moved away
    #[arg(long, value_name = "DIR")]
    pub(crate) reverse_teacher: Option<PathBuf>,
    /// Model folder to write
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Pairs to evaluate on during training
    #[arg(long, value_name = "DATA", num_args = 1..)]
    pub(crate) eval_data: Vec<String>,
    /// Steps between evaluations [default: at the end only]
    #[arg(long, value_name = "STEPS", requires = "measured")]
    pub(crate) eval_every: Option<u64>,
    /// Keep the checkpoint of the best evaluation too
    #[arg(long, value_enum, value_name = "METRIC", requires = "eval_every")]
    pub(crate) keep_best: Option<BestArg>,
    #[command(flatten)]
    pub(crate) objective_settings: ObjectiveArgs,
    #[command(flatten)]
    pub(crate) read: DataArgs,
    #[command(flatten)]
    pub(crate) held_out: HeldOutArgs,
    #[command(flatten)]
    pub(crate) tokens: TokenArgs,
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
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
    /// Scale of the implicit reward
    #[arg(long, value_name = "X", default_value_t = 0.1, requires = "reference")]
    pub(crate) beta: f64,
    #[command(flatten)]
    pub(crate) forward: ForwardArgs,
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    #[command(flatten)]
    pub(crate) held_out: HeldOutArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}
