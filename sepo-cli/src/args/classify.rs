//! Arguments of `sepo-cli classify`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use sepo_train::TrainConfig;

use super::train::DtypeArg;
use super::{ChangeArgs, ForwardArgs, HeldOutArgs, MachineArgs, MemoryArgs, PairArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum ClassifyCommand {
    /// Train a head that says of every token how likely it is good, on the states of a frozen model
    Train(Box<ClassifyTrainArgs>),
    /// Score every response token with such a head
    Score(Box<ClassifyScoreArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyTrainArgs {
    /// Frozen model folder
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// `selection.parquet` whose weights are labels, from 0 (bad) to 1 (good); `weights import --labels` makes one
    #[arg(long, value_name = "FILE")]
    pub(crate) data: PathBuf,
    /// Folder to write the classifier to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Labelled tokens to measure it on
    #[arg(long, value_name = "FILE")]
    pub(crate) eval_data: Option<PathBuf>,
    /// Peak learning rate; it falls as a cosine
    #[arg(long, value_name = "LR", default_value_t = 1e-2)]
    pub(crate) learning_rate: f64,
    /// Pairs of an optimizer step
    #[arg(long, value_name = "PAIRS", default_value_t = 32)]
    pub(crate) batch_size: usize,
    /// Tokens of a forward pass; a longer pair runs alone
    #[arg(long, value_name = "N", default_value = "4096")]
    pub(crate) tokens_per_batch: NonZeroUsize,
    /// Passes over the data, possibly a fraction
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pub(crate) epochs: f64,
    /// Steps, whatever `--epochs` says
    #[arg(long, value_name = "N")]
    pub(crate) max_steps: Option<u64>,
    /// Decoupled weight decay
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub(crate) weight_decay: f64,
    /// Seed of the order of the pairs
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// What matrix products compute in
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub(crate) dtype: DtypeArg,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
}

impl ClassifyTrainArgs {
    pub(crate) fn config(&self) -> TrainConfig {
        TrainConfig {
            learning_rate: self.learning_rate,
            batch_size: self.batch_size,
            tokens_per_batch: self.tokens_per_batch.get(),
            epochs: self.epochs,
            max_steps: self.max_steps,
            weight_decay: self.weight_decay,
            seed: self.seed,
            dtype: self.dtype.into(),
            ..TrainConfig::default()
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ClassifyScoreArgs {
    /// Classifier's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) classifier: PathBuf,
    /// Folder of the model that it was trained on; the tokenizer is taken from it
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// `scores.parquet` to write: a score is the log-odds that a token is good
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What matrix products compute in
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub(crate) dtype: DtypeArg,
    #[command(flatten)]
    pub(crate) forward: ForwardArgs,
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
