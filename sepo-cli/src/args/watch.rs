//! When a training run saves, warns and stops.

use std::time::Duration;

use clap::{Args, ValueEnum};
use sepo_train::{BestMetric, GuardName};

/// Flags of every training command; none decides a weight.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Watching")]
pub(crate) struct WatchArgs {
    /// Rise of the smoothed loss over its best that is warned of, as a share of the first loss
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub(crate) loss_watchdog: f64,
    /// Guards that stop the run, with a checkpoint and exit code 6, where they would only warn
    #[arg(long, value_enum, value_name = "GUARD", value_delimiter = ',')]
    pub(crate) stop_on: Vec<GuardArg>,
    /// Time from now at which a checkpoint must be complete, such as 3h30m; stops with exit code 5
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) save_by: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GuardArg {
    /// The smoothed loss rises beyond `--loss-watchdog`
    LossRise,
    /// Chosen tokens lose half a nat of log-prob
    Displacement,
    /// Margins correlate with the difference of lengths at more than 0.5
    LengthBias,
}

impl From<GuardArg> for GuardName {
    fn from(guard: GuardArg) -> Self {
        match guard {
            GuardArg::LossRise => Self::LossRise,
            GuardArg::Displacement => Self::Displacement,
            GuardArg::LengthBias => Self::LengthBias,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BestArg {
    /// The smallest loss
    Loss,
    /// The largest share of pairs whose chosen response is preferred
    Accuracy,
}

impl From<BestArg> for BestMetric {
    fn from(metric: BestArg) -> Self {
        match metric {
            BestArg::Loss => Self::Loss,
            BestArg::Accuracy => Self::Accuracy,
        }
    }
}
