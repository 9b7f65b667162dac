//! What the log-probs of a batch say, summed so that batches add up to a step or an evaluation.

use sepo_data::Side;
use sepo_loss::Evaluation;

use crate::batch::Batch;
use crate::length_moments::LengthMoments;
use crate::mean::{Mean, indicator};

/// Means over pairs, tokens and units, still open for more batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    /// Over units: pairs that are not empty, or the weight of tokens.
    pub(crate) loss: Mean,
    pub(crate) accuracy: Mean,
    pub(crate) margin: Mean,
    /// Over response tokens.
    pub(crate) weight: Mean,
    /// Whether weights say more than that every token counts 1.
    pub(crate) is_weighted: bool,
    /// Of pairs that are not empty.
    pub(crate) lengths: LengthMoments,
    pub(crate) chosen: SideSums,
    pub(crate) rejected: SideSums,
    pub(crate) n_pairs: u64,
    pub(crate) n_empty: u64,
    pub(crate) n_tokens: u64,
    pub(crate) n_rows: u64,
    /// Of the passes that were made.
    pub(crate) flops: u64,
}

/// The part of one response.
#[derive(Debug, Clone, Default)]
pub(crate) struct SideSums {
    /// Over pairs.
    pub(crate) reward: Mean,
    /// Weighted sum of a response's log-probs, over pairs.
    pub(crate) logp: Mean,
    /// Over tokens with a weight, of examples that have weights.
    pub(crate) selected: Mean,
    /// Over tokens whose weight is 0, of examples that have weights.
    pub(crate) unselected: Mean,
}

impl Sums {
    /// Adds one batch.
    pub(crate) fn add(&mut self, batch: &Batch<'_>, logps: &[f64], evaluation: &Evaluation) {
        self.loss.push_sum(evaluation.loss_sum, evaluation.n_units);
        self.n_tokens += batch.n_tokens() as u64;
        self.n_rows += batch.n_rows() as u64;
        for (index, pair) in evaluation.pairs.iter().enumerate() {
            self.add_tokens(batch, index, logps);
            self.n_pairs += 1;
            if pair.empty {
                self.n_empty += 1;
                continue;
            }
            self.accuracy.push(indicator(pair.chosen_reward > pair.rejected_reward));
            self.margin.push(pair.margin);
            let lengths = Side::BOTH.map(|side| batch.examples[index].ids(side).len() as u64);
            self.lengths.push(lengths, pair.margin);
            self.chosen.reward.push(pair.chosen_reward);
            self.rejected.reward.push(pair.rejected_reward);
            self.chosen.logp.push(pair.chosen_logp);
            if !batch.rows(index, Side::Rejected).is_empty() {
                self.rejected.logp.push(pair.rejected_logp);
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
    fn add_tokens(&mut self, batch: &Batch<'_>, index: usize, logps: &[f64]) {
        for side in Side::BOTH {
            let n_tokens = batch.examples[index].ids(side).len();
            let mass: f64 = batch.rows(index, side).map(|row| batch.weights()[row]).sum();
            self.weight.push_sum(mass, n_tokens as f64);
            if !batch.is_weighted(index, side) {
                continue;
            }
            self.is_weighted = true;
            let sums = match side {
                Side::Chosen => &mut self.chosen,
                Side::Rejected => &mut self.rejected,
            };
            for row in batch.rows(index, side) {
                let mean =
                    if batch.weights()[row] == 0.0 { &mut sums.unselected } else { &mut sums.selected };
                mean.push(logps[row]);
            }
        }
    }
}
