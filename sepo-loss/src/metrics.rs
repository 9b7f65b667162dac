//! What training wants to see of each pair.

use crate::batch::{CheckedBatch, PairRows};
use crate::error::Side;
use crate::objective::{Normalizer, Objective};

/// The loss of one pair and the numbers behind it.
///
/// Names and signs are TRL's (`rewards/chosen`, `rewards/margins`, `logps/chosen`). Averages over a batch should leave out
/// pairs that are `empty`. [`Objective::Sft`] reads the chosen response only: what concerns the rejected one is 0, and so
/// are rewards.
///
/// | objective | reward of a response |
/// |---|---|
/// | DPO, IPO (both reductions), hinge | `β · Σ_t w_t (l_t − l_ref,t)` |
/// | SimPO | `β · Σ_t w_t l_t / Σ_t w_t` |
/// | SePO | `γ · Σ_t w_t l_t / N` |
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
        let empty = checked.is_empty(objective, pair);
        let mut metrics = Self { loss, empty, ..Self::default() };
        let chosen = SideSums::new(checked, rows, Side::Chosen);
        metrics.chosen_logp = chosen.logp;
        if !objective.is_pairwise() {
            return metrics;
        }
        let rejected = SideSums::new(checked, rows, Side::Rejected);
        metrics.rejected_logp = rejected.logp;
        if !empty {
            metrics.chosen_reward = chosen.reward(objective);
            metrics.rejected_reward = rejected.reward(objective);
            metrics.margin = metrics.chosen_reward - metrics.rejected_reward;
        }
        metrics
    }
}

/// Weighted sums over the rows of one response.
struct SideSums {
    weight: f64,
    logp: f64,
    log_ratio: f64,
    nominal: f64,
}

impl SideSums {
    fn new(checked: &CheckedBatch<'_>, rows: &PairRows, side: Side) -> Self {
        let sequence = rows.side(side);
        let mut sums = Self { weight: 0.0, logp: 0.0, log_ratio: 0.0, nominal: sequence.nominal };
        for row in sequence.rows {
            let weight = f64::from(checked.batch.weights[row]);
            if weight != 0.0 {
                let logp = checked.batch.logps[row];
                let reference = checked.reference.map_or(0.0, |reference| reference[row]);
                sums.weight += weight;
                sums.logp += weight * logp;
                sums.log_ratio += weight * (logp - reference);
            }
        }
        sums
    }

    fn reward(&self, objective: &Objective) -> f64 {
        match *objective {
            Objective::Sft => 0.0,
            Objective::Dpo { beta, .. } | Objective::Ipo { beta, .. } | Objective::Hinge { beta } => {
                beta * self.log_ratio
            }
            Objective::SimPo { beta, .. } => beta * self.logp / self.weight,
            Objective::SePo { gamma, normalizer: Normalizer::Count, .. } => gamma * self.logp / self.weight,
            Objective::SePo { gamma, normalizer: Normalizer::Nominal, .. } => {
                gamma * self.logp / self.nominal
            }
        }
    }
}
