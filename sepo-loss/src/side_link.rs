//! Losses that look at each response by itself.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::constant::{PerRow, detached, scalar, values};
use crate::link::{negative_log_sigmoid, sigmoid};

/// The loss as a function of the rewards `r = β h(U)` of the two responses, which are not compared with each other but
/// with a fixed point.
///
/// Such a loss needs no pairs in principle; here the two responses of a pair bring one desirable and one undesirable
/// example.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SideLink {
    /// `½ [λ_w (1 − σ(r_w − β z₀)) + λ_l (1 − σ(β z₀ − r_l))]` (KTO, arXiv 2402.01306, eq. 8).
    Kto {
        /// λ_w, weight of desirable responses.
        desirable: f64,
        /// λ_l, weight of undesirable ones.
        undesirable: f64,
        /// `z₀`, what rewards are compared with.
        baseline: Baseline,
    },
    /// `−log σ(r_w − δ) − log σ(−(r_l − δ))` (BCO, arXiv 2404.04656).
    Bco {
        /// δ, the shift.
        shift: f64,
    },
    /// `−log σ(r_w) − ½ log σ(−r_w) − ½ log σ(−r_l)` (NCA, arXiv 2402.05369).
    Nca,
    /// `(1 − σ(r_w)) + σ(r_l)` (APO-zero, arXiv 2408.06266): chosen up, rejected down.
    ApoZero,
    /// `σ(r_w) + (1 − σ(r_w − r_l))` (APO-down): both down, the rejected further.
    ApoDown,
    /// `(r_w − t)² + (r_l + t)²` (SPPO, arXiv 2405.00675, with hard labels: β = 1, t = 1 / 2β).
    Sppo {
        /// t.
        target: f64,
    },
}

/// What KTO compares log-ratios with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Baseline {
    /// A number, in the units of `h(U)`.
    Constant(f64),
    /// `max(0, mean of h(U))` over both responses of all pairs of the call, without gradient. It stands for the mean over
    /// mismatched prompts and responses, which no pair brings. The loss of a pair then **depends on its neighbours**: cutting a step
    /// into other micro-batches changes it.
    BatchMean,
}

impl SideLink {
    /// The loss of every pair; `scale` is β and `live` says which pairs take part in a batch mean.
    pub(crate) fn losses<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        self,
        chosen: PerRow<E, D, T>,
        rejected: PerRow<E, D, T>,
        (scale, live): (f64, &[bool]),
    ) -> Result<PerRow<E, D, T>, D::Err> {
        match self {
            Self::Kto { desirable, undesirable, baseline } => {
                let zero = scale * baseline.value(&chosen, &rejected, (scale, live));
                let chosen = sigmoid(chosen.try_negate()?.try_add(scalar::<E>(zero))?)?;
                let rejected = sigmoid(rejected.try_sub(scalar::<E>(zero))?)?;
                let chosen = chosen.try_mul(scalar::<E>(0.5 * desirable))?;
                chosen.try_add(rejected.try_mul(scalar::<E>(0.5 * undesirable))?)
            }
            Self::Bco { shift } => {
                let chosen = negative_log_sigmoid(chosen.try_sub(scalar::<E>(shift))?)?;
                let rejected = rejected.try_negate()?.try_add(scalar::<E>(shift))?;
                chosen.try_add(negative_log_sigmoid(rejected)?)
            }
            Self::Nca => {
                let up = negative_log_sigmoid(chosen.with_empty_tape())?;
                let down = negative_log_sigmoid(chosen.try_negate()?)?;
                let down = down.try_add(negative_log_sigmoid(rejected.try_negate()?)?)?;
                up.try_add(down.try_mul(scalar::<E>(0.5))?)
            }
            Self::ApoZero => sigmoid(chosen.try_negate()?)?.try_add(sigmoid(rejected)?),
            Self::ApoDown => {
                let down = sigmoid(chosen.with_empty_tape())?;
                let further = sigmoid(rejected.try_sub(chosen)?)?;
                down.try_add(further)
            }
            Self::Sppo { target } => {
                let chosen = chosen.try_sub(scalar::<E>(target))?.try_square()?;
                chosen.try_add(rejected.try_add(scalar::<E>(target))?.try_square()?)
            }
        }
    }
}

impl Baseline {
    fn value<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        self,
        chosen: &PerRow<E, D, T>,
        rejected: &PerRow<E, D, T>,
        (scale, live): (f64, &[bool]),
    ) -> f64 {
        match self {
            Self::Constant(value) => value,
            Self::BatchMean => {
                let rewards = [values(chosen), values(rejected)];
                let of_live = |side: &Vec<f64>| -> f64 {
                    side.iter().zip(live).filter(|(_, live)| **live).map(|(reward, _)| reward / scale).sum()
                };
                let n = 2 * live.iter().filter(|live| **live).count();
                (rewards.iter().map(of_live).sum::<f64>() / n.max(1) as f64).max(0.0)
            }
        }
    }
}

/// The sigmoid of a tensor as numbers without gradient.
pub(crate) fn detached_sigmoid<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    z: &PerRow<E, D, T>,
) -> Result<PerRow<E, D>, D::Err> {
    sigmoid(detached(z)?)
}
