//! How a model is trained.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use sepo_model::Dtype;
use sepo_train::{ActivationPolicy, Scheduler, TrainConfig};

use super::WatchArgs;

/// Flags of every training command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Training")]
pub(crate) struct TrainArgs {
    /// Peak learning rate [default: the stage's]
    #[arg(long, value_name = "LR")]
    pub(crate) learning_rate: Option<f64>,
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
    /// Learning rate after the warm-up
    #[arg(long, value_enum, default_value_t = SchedulerArg::Cosine)]
    pub(crate) scheduler: SchedulerArg,
    /// Share of the steps in which the learning rate rises
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(crate) warmup_ratio: f64,
    /// Decoupled weight decay, none on norms and biases
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub(crate) weight_decay: f64,
    /// Decay of Adam's first moment
    #[arg(long, value_name = "X", default_value_t = 0.9)]
    pub(crate) adam_beta1: f64,
    /// Decay of Adam's second moment
    #[arg(long, value_name = "X", default_value_t = 0.999)]
    pub(crate) adam_beta2: f64,
    /// Largest norm of the gradient; 0 does not clip
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) max_grad_norm: f64,
    /// Seed of the order of the pairs and of every other draw
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Steps between checkpoints [default: at the end only]
    #[arg(long, value_name = "STEPS")]
    pub(crate) save_every: Option<u64>,
    /// Checkpoints that are kept
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) keep_checkpoints: usize,
    /// Keep block inputs only and compute the rest again on the way back: less memory, about a third more time
    #[arg(long)]
    pub(crate) recompute: bool,
    /// What matrix products compute in
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    pub(crate) dtype: DtypeArg,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DtypeArg {
    /// Numbers as they are
    F32,
    /// Rounded to bf16, summed in f32: half the time on CPUs with AVX512-BF16, slower elsewhere
    Bf16,
}

impl From<DtypeArg> for Dtype {
    fn from(dtype: DtypeArg) -> Self {
        match dtype {
            DtypeArg::F32 => Self::F32,
            DtypeArg::Bf16 => Self::Bf16,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchedulerArg {
    Constant,
    Linear,
    Cosine,
}

impl TrainArgs {
    /// The configuration, with `default_rate` where no learning rate was typed.
    pub(crate) fn config(&self, default_rate: f64) -> TrainConfig {
        TrainConfig {
            learning_rate: self.learning_rate.unwrap_or(default_rate),
            batch_size: self.batch_size,
            tokens_per_batch: self.tokens_per_batch.get(),
            epochs: self.epochs,
            max_steps: self.max_steps,
            scheduler: match self.scheduler {
                SchedulerArg::Constant => Scheduler::Constant,
                SchedulerArg::Linear => Scheduler::Linear,
                SchedulerArg::Cosine => Scheduler::Cosine,
            },
            warmup_ratio: self.warmup_ratio,
            weight_decay: self.weight_decay,
            adam_beta1: self.adam_beta1,
            adam_beta2: self.adam_beta2,
            max_grad_norm: (self.max_grad_norm != 0.0).then_some(self.max_grad_norm),
            seed: self.seed,
            save_every: self.save_every,
            keep_checkpoints: self.keep_checkpoints,
            activations: if self.recompute { ActivationPolicy::Recomputed } else { ActivationPolicy::Kept },
            dtype: self.dtype.into(),
            loss_watchdog: self.watch.loss_watchdog,
            stop_on: self.watch.stop_on.iter().copied().map(Into::into).collect(),
            ..TrainConfig::default()
        }
    }
}
