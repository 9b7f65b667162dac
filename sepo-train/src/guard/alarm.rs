//! What guards say.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A guard of a training run, as it is named on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GuardName {
    /// The loss rises.
    LossRise,
    /// Chosen responses become less likely.
    Displacement,
    /// Margins follow the lengths of responses.
    LengthBias,
}

impl fmt::Display for GuardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LossRise => "loss-rise",
            Self::Displacement => "displacement",
            Self::LengthBias => "length-bias",
        })
    }
}

/// Which chosen tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenGroup {
    /// Those that training sees: the selected ones, or all where nothing is selected.
    Selected,
    /// Those without weight, which evaluations see.
    Unselected,
}

/// Something that a guard saw, with its numbers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Alarm {
    /// The smoothed loss is above its best.
    LossRise {
        /// The smoothed loss.
        loss: f64,
        /// Its best.
        best: f64,
        /// Step of the best.
        best_step: u64,
        /// Rise that is warned of, in the loss's unit.
        limit: f64,
    },
    /// Chosen tokens have lost log-prob since the beginning: likelihood displacement (arXiv 2410.08847).
    Displacement {
        /// Which tokens.
        tokens: TokenGroup,
        /// Mean log-prob of a token, smoothed.
        logp: f64,
        /// The same at the beginning.
        start: f64,
    },
    /// The margin follows the difference of lengths, so that longer responses win (arXiv 2403.19159).
    LengthBias {
        /// Correlation of the margin with the length of the chosen minus that of the rejected response.
        correlation: f64,
        /// The same at the beginning.
        start: f64,
        /// Pairs that the correlation is of, about.
        n_pairs: u64,
    },
}

impl Alarm {
    /// The guard that says it.
    #[must_use]
    pub fn guard(&self) -> GuardName {
        match self {
            Self::LossRise { .. } => GuardName::LossRise,
            Self::Displacement { .. } => GuardName::Displacement,
            Self::LengthBias { .. } => GuardName::LengthBias,
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LossRise { loss, best, best_step, limit } => write!(
                f,
                "the smoothed loss is {loss:.4}, {:.4} above its best of step {best_step}; {limit:.4} is the limit",
                loss - best
            ),
            Self::Displacement { tokens, logp, start } => {
                let tokens = match tokens {
                    TokenGroup::Selected => "chosen tokens that are trained on",
                    TokenGroup::Unselected => "chosen tokens that are not selected",
                };
                write!(
                    f,
                    "{tokens} have a mean log-prob of {logp:.3}, {:.3} at the start: chosen responses become less likely",
                    start
                )
            }
            Self::LengthBias { correlation, start, n_pairs } => write!(
                f,
                "margins correlate with the difference of lengths at {correlation:.2} over {n_pairs} pairs, {start:.2} at the start: \
                 longer responses win"
            ),
        }
    }
}
