//! The number that each token contributes.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::constant::{PerRow, detached, scalar};
use crate::error::Side;

/// The token statistic `u_t = l_t − ρ · l_ref,t + κ_t`: what token *t* contributes before its weight.
///
/// `l_t` is the policy's log-probability of the token, `l_ref,t` the reference's, and `κ_t` a divergence between the two
/// models' distributions at that position.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Statistic {
    /// ρ, how much of the reference is taken off: 1 for DPO and its kin, 0 without a reference.
    pub rho: f64,
    /// κ, the divergence.
    pub divergence: Divergence,
}

/// A token-wise divergence of policy and reference as part of the [`Statistic`].
///
/// Both are `−α E_{v∼ν}[log π(v) − log π_ref(v)]` with ν one of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Divergence {
    /// No such term.
    None,
    /// `+α F_t` with `F_t = KL(π_ref ‖ π)`: ν is the reference (TDPO, SparsePO).
    Forward {
        /// α, its share.
        alpha: f64,
        /// Where it counts as a constant.
        detach: Detach,
    },
    /// `−α K_t` with `K_t = KL(π ‖ π_ref)`: ν is the policy (TIS-DPO).
    Reverse {
        /// α, its share.
        alpha: f64,
        /// Where it counts as a constant.
        detach: Detach,
    },
}

/// On which side of a pair a term carries no gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detach {
    /// It carries one on both.
    Neither,
    /// Constant in the chosen response (TDPO2).
    Chosen,
    /// Constant in both responses.
    Both,
}

impl Detach {
    fn on(self, side: Side) -> bool {
        match self {
            Self::Neither => false,
            Self::Chosen => side == Side::Chosen,
            Self::Both => true,
        }
    }
}

impl Default for Statistic {
    fn default() -> Self {
        Self::LOG_RATIO
    }
}

impl Statistic {
    /// `l_t` alone.
    pub const LOGP: Self = Self { rho: 0.0, divergence: Divergence::None };
    /// `l_t − l_ref,t`.
    pub const LOG_RATIO: Self = Self { rho: 1.0, divergence: Divergence::None };
}

/// One number a row from each of the models: what a [`Statistic`] is made of.
///
/// Every tensor is `[n_rows]`, in nats. Those with a tape get a gradient.
#[derive(Debug, Clone)]
pub struct TokenTerms<E: Dtype, D: Device<E>, T: Tape<E, D> = NoneTape> {
    /// `l_t`, the policy's log-probabilities.
    pub logps: PerRow<E, D, T>,
    /// `l_ref,t`, the reference's; read where ρ is not 0.
    pub reference: Option<PerRow<E, D>>,
    /// `F_t = KL(π_ref ‖ π)`; read with [`Divergence::Forward`].
    pub forward_kls: Option<PerRow<E, D, T>>,
    /// `K_t = KL(π ‖ π_ref)`; read with [`Divergence::Reverse`].
    pub reverse_kls: Option<PerRow<E, D, T>>,
    /// `w_t`; read with [`Weighting::Learned`](crate::Weighting::Learned), where the layout only says which rows take part.
    pub weights: Option<PerRow<E, D, T>>,
    /// `r̂_t` of [`TokenReward`](crate::TokenReward).
    pub token_rewards: Option<PerRow<E, D>>,
    /// `log Σ_v π(v)²` of [`PairWeight::Likelihood`](crate::PairWeight::Likelihood).
    pub log_collisions: Option<PerRow<E, D>>,
}

impl<E: Dtype, D: Device<E>, T: Tape<E, D>> TokenTerms<E, D, T> {
    /// Log-probabilities of a policy and nothing else.
    pub fn of_policy(logps: PerRow<E, D, T>) -> Self {
        Self {
            logps,
            reference: None,
            forward_kls: None,
            reverse_kls: None,
            weights: None,
            token_rewards: None,
            log_collisions: None,
        }
    }

    /// `u_t` of every row, as it counts on one side of its pair. Terms that are not there count 0.
    pub(crate) fn statistic(&self, of: Statistic, side: Side) -> Result<PerRow<E, D, T>, D::Err> {
        let mut value = self.logps.with_empty_tape();
        if let Some(reference) = self.reference.as_ref().filter(|_| of.rho != 0.0) {
            value = log_ratio(value, reference.clone(), of.rho)?;
        }
        let (kls, share, detach) = match of.divergence {
            Divergence::None => return Ok(value),
            Divergence::Forward { alpha, detach } => (&self.forward_kls, alpha, detach),
            Divergence::Reverse { alpha, detach } => (&self.reverse_kls, -alpha, detach),
        };
        let Some(kls) = kls else { return Ok(value) };
        if detach.on(side) {
            value.try_add(detached(kls)?.try_mul(scalar::<E>(share))?)
        } else {
            value.try_add(kls.with_empty_tape().try_mul(scalar::<E>(share))?)
        }
    }
}

/// The log-ratio `u_t = l_t − ρ · l_ref,t` of every row.
///
/// `l_t` is the policy's log-probability of token *t*, `l_ref,t` the reference's; ρ (`rho`) is how much of the reference
/// is taken off: 1 for DPO and its kin. Objectives without a reference use `policy` itself as their statistic.
/// The reference carries no gradient.
///
/// # Shapes
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | `policy` | `[n_rows]` | nats, at most 0 |
/// | `reference` | `[n_rows]` | nats, at most 0 |
/// | result | `[n_rows]` | nats |
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Panics
///
/// If the two lengths differ.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
///
/// let device = Cpu::default();
/// let policy = device.tensor_from_vec(vec![-1.0, -0.5], (2,));
/// let reference = device.tensor_from_vec(vec![-1.5, -0.25], (2,));
/// assert_eq!(sepo_loss::log_ratio(policy, reference, 1.0)?.as_vec(), [0.5, -0.25]);
/// # Ok::<(), CpuError>(())
/// ```
pub fn log_ratio<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    policy: PerRow<E, D, T>,
    reference: PerRow<E, D>,
    rho: f64,
) -> Result<PerRow<E, D, T>, D::Err> {
    // Also for ρ = 1: the product has an identity of its own, and dfdx's tape refuses a tensor minus its own clone, which
    // is what a reference that starts as a clone of the policy is.
    let reference = reference.try_mul(scalar::<E>(rho))?;
    policy.try_sub(reference)
}
