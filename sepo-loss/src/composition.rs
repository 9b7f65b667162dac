//! A loss as the sum of its choices.

use serde::{Deserialize, Serialize};

use crate::error::Input;
use crate::link::Link;
use crate::margin::Margin;
use crate::partition::{Pairing, Partition, UnitSum};
use crate::reduction::Reduction;
use crate::regularizer::Regularizers;
use crate::side_link::{Baseline, SideLink};
use crate::statistic::{Detach, Divergence, Statistic};
use crate::transform::Transform;

/// A preference loss, one choice a field.
///
/// With `u_t` the [`Statistic`] of a token and `w_t` its weight, for every unit `g` of a response ([`Partition`]):
///
/// ```text
/// U_g = Σ_{t in g} w_t u_t / N_g                                   reduction
/// z_g = β (h(U_g of the chosen) − h(U_g' of the rejected)) − Γ      transform, pairing, margin
/// L   = s · ω · Σ_g φ(z_g) + regularizers                           scale, pair weight, link
/// ```
///
/// or `φ` of both rewards `β h(U)` in place of `φ(z)`, where responses are not compared with each other
/// ([`Comparison::Sides`]). What a paper adds is a variant of one of these enums. [`Composition::default`] is DPO with β = 0.1.
///
/// It has a written form, the [`CompositionForm`](crate::CompositionForm); keys that are left out are those of the default.
///
/// Weights of a constant `c` instead of 1 are the same as `c · β` where `N` is 1, and change nothing where `N` is their sum:
/// compare methods at the same *effective* β, β times the mean weight.
///
/// # Examples
///
/// SePO's selection with a reference and TDPO2's divergence, which no paper has:
///
/// ```
/// use sepo_loss::{Composition, Detach, Divergence, LossBatch, Objective, PairRows, Statistic, evaluate};
///
/// let divergence = Divergence::Forward { alpha: 0.5, detach: Detach::Chosen };
/// let loss = Composition { statistic: Statistic { rho: 1.0, divergence }, ..Composition::default() };
/// let batch = LossBatch {
///     logps: &[-1.0, -2.0, -1.5, -3.0],
///     reference_logps: Some(&[-1.0, -2.5, -1.5, -2.0]),
///     forward_kls: Some(&[0.1; 4]),
///     weights: &[0.0, 1.0, 0.0, 1.0],
///     pairs: &[PairRows { chosen: 0..2, rejected: 2..4, chosen_nominal: 1.0, rejected_nominal: 1.0 }],
///     ..LossBatch::default()
/// };
/// let evaluation = evaluate(&Objective::composed("sepo-tdpo2", loss), &batch)?;
/// let z = 0.1_f64 * ((0.5 + 0.05) - (-1.0 + 0.05));
/// assert!((evaluation.loss_sum - (1.0 + (-z).exp()).ln()).abs() < 1e-15);
/// assert_eq!(evaluation.dlogps[0], 0.0); // not selected
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Composition {
    /// `u_t`.
    pub statistic: Statistic,
    /// Whether weights are constants.
    pub weighting: Weighting,
    /// `N`.
    pub reduction: Reduction,
    /// What is compared: whole responses or parts of them.
    pub partition: Partition,
    /// Which part with which.
    pub pairing: Pairing,
    /// How the comparisons of a pair add up.
    pub unit_sum: UnitSum,
    /// `h`.
    pub transform: Transform,
    /// β.
    pub beta: f64,
    /// `φ` and Γ.
    pub comparison: Comparison,
    /// `ω`.
    pub pair_weight: PairWeight,
    /// `s`, a factor on everything but the regularizers.
    pub scale: f64,
    /// What is added.
    pub regularizers: Regularizers,
}

/// Whether token weights carry a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// They are constants.
    Detached,
    /// They come from a model that is trained, and get a gradient; a weight of 0 then takes no token out.
    Learned,
}

/// How the two responses make a loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Comparison {
    /// They are compared with each other.
    Pairs {
        /// Γ.
        margin: Margin,
        /// `φ`.
        link: Link,
    },
    /// Each is looked at by itself.
    Sides(SideLink),
}

/// `ω`, a constant factor of each pair's loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairWeight {
    /// 1.
    One,
    /// `exp` of the mean of `l_t − log Σ_v π(v)²` over each response, multiplied (WPO, arXiv 2406.11827): what the policy would say
    /// itself counts more.
    Likelihood,
}

impl Default for Composition {
    fn default() -> Self {
        Self {
            statistic: Statistic::LOG_RATIO,
            weighting: Weighting::Detached,
            reduction: Reduction::Sum,
            partition: Partition::Whole,
            pairing: Pairing::ByIndex,
            unit_sum: UnitSum::Sum,
            transform: Transform::Identity,
            beta: 0.1,
            comparison: Comparison::Pairs {
                margin: Margin::Constant(0.0),
                link: Link::Logistic { label_smoothing: 0.0 },
            },
            pair_weight: PairWeight::One,
            scale: 1.0,
            regularizers: Regularizers::default(),
        }
    }
}

impl Composition {
    /// The same loss with another link and margin.
    #[must_use]
    pub fn comparing(self, margin: Margin, link: Link) -> Self {
        Self { comparison: Comparison::Pairs { margin, link }, ..self }
    }

    /// What a batch has to bring besides log-probabilities and weights, in order.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        let needed = [
            (self.reads_reference(), Input::ReferenceLogps),
            (matches!(self.statistic.divergence, Divergence::Forward { .. }), Input::ForwardKls),
            (matches!(self.statistic.divergence, Divergence::Reverse { .. }), Input::ReverseKls),
            (self.regularizers.token_reward.is_some(), Input::TokenRewards),
            (self.pair_weight == PairWeight::Likelihood, Input::LogCollisions),
            (self.partition == Partition::Segment, Input::Segments),
        ];
        needed.into_iter().filter(|(needed, _)| *needed).map(|(_, input)| input).collect()
    }

    /// Whether the loss of a pair depends on the other pairs of the call. Cutting a step into other micro-batches then changes it.
    #[must_use]
    pub fn is_batch_coupled(&self) -> bool {
        self.pairing == Pairing::BatchOrder
            || matches!(self.comparison, Comparison::Pairs { margin: Margin::Adaptive, .. })
            || matches!(
                self.comparison,
                Comparison::Sides(SideLink::Kto { baseline: Baseline::BatchMean, .. })
            )
    }

    /// β at which weights of 1 would count as much as weights whose mean over all tokens is `mean_weight`: methods compare fairly
    /// where it is the same.
    ///
    /// Where the loss divides by the weights or their number, it is β itself.
    #[must_use]
    pub fn effective_beta(&self, mean_weight: f64) -> f64 {
        match self.reduction {
            Reduction::Sum | Reduction::Length | Reduction::MinLength => self.beta * mean_weight,
            Reduction::WeightSum | Reduction::Nominal => self.beta,
        }
    }

    pub(crate) fn reads_reference(&self) -> bool {
        self.statistic.rho != 0.0
            || matches!(self.comparison, Comparison::Pairs { margin: Margin::Reference { .. }, .. })
    }

    /// Whether the gradient of one of the divergences is wanted.
    pub(crate) fn differentiates_kls(&self) -> bool {
        match self.statistic.divergence {
            Divergence::None => false,
            Divergence::Forward { detach, .. } | Divergence::Reverse { detach, .. } => detach != Detach::Both,
        }
    }
}
