//! What training wants to see of each pair.

use crate::batch::PairRows;
use crate::checked_batch::CheckedBatch;
use crate::error::{Input, Side};
use crate::objective::Objective;
use crate::reduction::Reduction;
use crate::statistic::Divergence;
use crate::transform::Transform;

/// The loss of one pair and the numbers behind it.
///
/// Names and signs are TRL's (`rewards/chosen`, `rewards/margins`, `logps/chosen`). Averages over a batch should leave out
/// pairs that are `empty`. [`Objective::Sft`] and [`Objective::AlignDistil`] read the chosen response only: what concerns the rejected one is 0, and so
/// are rewards.
///
/// | objective | reward of a response |
/// |---|---|
/// | DPO, IPO (both reductions), hinge | `β · Σ_t w_t (l_t − l_ref,t)` |
/// | SimPO | `β · Σ_t w_t l_t / Σ_t w_t` |
/// | SePO | `γ · Σ_t w_t l_t / N` |
/// | composed | `β · h(Σ_t w_t u_t / N)` of the whole response |
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairMetrics {
    /// Loss of the pair; 0 if it is empty.
    pub loss: f64,
    /// `Σ_t w_t l_t` of the chosen response, in nats.
    pub chosen_logp: f64,
    /// `Σ_t w_t l_t` of the rejected response, in nats.
    pub rejected_logp: f64,
    /// Implicit reward of the chosen response; 0 if the pair is empty.
    pub chosen_reward: f64,
    /// Implicit reward of the rejected response; 0 if the pair is empty.
    pub rejected_reward: f64,
    /// `chosen_reward − rejected_reward`; the target margins γ of SimPO and λ of SePO are not taken off.
    pub margin: f64,
    /// Whether a response that the objective uses has no weighted row, or weights that sum to 0.
    pub empty: bool,
}

impl PairMetrics {
    pub(crate) fn new(objective: &Objective, checked: &CheckedBatch<'_>, pair: usize, loss: f64) -> Self {
        let rows = &checked.batch.pairs[pair];
        let empty = checked.is_empty(pair);
        let mut metrics = Self { loss, empty, ..Self::default() };
        let chosen = SideSums::new(checked, objective, rows, Side::Chosen);
        metrics.chosen_logp = chosen.logp;
        if !objective.is_pairwise() {
            return metrics;
        }
        let rejected = SideSums::new(checked, objective, rows, Side::Rejected);
        metrics.rejected_logp = rejected.logp;
        if !empty {
            metrics.chosen_reward = chosen.reward(objective, &rejected);
            metrics.rejected_reward = rejected.reward(objective, &chosen);
            metrics.margin = metrics.chosen_reward - metrics.rejected_reward;
        }
        metrics
    }
}

/// Weighted sums over the rows of one response.
struct SideSums {
    weight: f64,
    logp: f64,
    statistic: f64,
    nominal: f64,
    length: f64,
}

impl SideSums {
    fn new(checked: &CheckedBatch<'_>, objective: &Objective, rows: &PairRows, side: Side) -> Self {
        let sequence = rows.side(side);
        let statistic = objective.composition().unwrap_or_default().statistic;
        let (kls, alpha) = match statistic.divergence {
            Divergence::None => (None, 0.0),
            Divergence::Forward { alpha, .. } => (checked.read(Input::ForwardKls), alpha),
            Divergence::Reverse { alpha, .. } => (checked.read(Input::ReverseKls), -alpha),
        };
        let reference = checked.read(Input::ReferenceLogps).filter(|_| statistic.rho != 0.0);
        let length = sequence.rows.len() as f64;
        let mut sums = Self { weight: 0.0, logp: 0.0, statistic: 0.0, nominal: sequence.nominal, length };
        for row in sequence.rows {
            let weight = checked.batch.weights[row];
            if weight != 0.0 {
                let logp = checked.batch.logps[row];
                let reference = reference.map_or(0.0, |reference| statistic.rho * reference[row]);
                let divergence = kls.map_or(0.0, |kls| alpha * kls[row]);
                sums.weight += weight;
                sums.logp += weight * logp;
                sums.statistic += weight * (logp - reference + divergence);
            }
        }
        sums
    }

    fn reward(&self, objective: &Objective, other: &Self) -> f64 {
        let Some(composition) = objective.composition() else { return 0.0 };
        // IPO's β is in its target; TRL's reward of it is the log-ratio of the whole response all the same.
        if let Objective::Ipo { beta, .. } = *objective {
            return beta * self.statistic;
        }
        let divisor = match composition.reduction {
            Reduction::Sum => return composition.beta * composition.transform.of(self.statistic),
            Reduction::WeightSum => self.weight,
            Reduction::Length => self.length,
            Reduction::Nominal => self.nominal,
            Reduction::MinLength => self.length.min(other.length),
        };
        // In this order, as ever: β S / N.
        if composition.transform == Transform::Identity {
            return composition.beta * self.statistic / divisor;
        }
        composition.beta * composition.transform.of(self.statistic / divisor)
    }
}
