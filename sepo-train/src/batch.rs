//! Examples as one forward pass: a packed run of tokens, and per row what the loss needs.

use std::ops::Range;

use sepo_data::{PackItem, PackedBatch, RowPolicy, Side, plan_batches};
use sepo_kernels::Segments;
use sepo_loss::{Input, LossBatch, Objective, PairRows};
use sepo_model::{Backend, ModelError, SequenceBatch};

use crate::forward::Forward;
use crate::{StepWeights, TrainError, TrainExample};

/// Which log-probs are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowChoice {
    /// Those with a weight, of the sides that the objective reads: the training loss needs no other.
    Weighted,
    /// Those of every response token.
    All,
}

impl RowChoice {
    fn policy(self) -> RowPolicy {
        match self {
            Self::Weighted => RowPolicy::Weighted,
            Self::All => RowPolicy::AllResponse,
        }
    }

    /// Whether rows of `side` are computed at all.
    fn takes(self, side: Side, objective: &Objective) -> bool {
        self == Self::All || side == Side::Chosen || objective.is_pairwise()
    }

    /// Response tokens that get a row, ascending. Without a prompt nothing predicts token 0.
    pub(crate) fn tokens(self, example: &TrainExample, side: Side, objective: &Objective) -> Vec<usize> {
        let first = usize::from(example.prompt_ids.is_empty());
        let weights = weights(example, side, objective);
        let counts = |token: &usize| self == Self::All || weights.is_none_or(|w| w[*token] != 0.0);
        (first..example.ids(side).len()).filter(counts).collect()
    }
}

/// The example's weights, where they are weights: an objective with rewards of tokens reads them as these.
fn weights<'e>(example: &'e TrainExample, side: Side, objective: &Objective) -> Option<&'e [f32]> {
    if reads_rewards(objective) { None } else { example.weights(side) }
}

fn reads_rewards(objective: &Objective) -> bool {
    objective.composition().is_some_and(|loss| loss.regularizers.token_reward.is_some())
}

/// The number of each token's run: tokens next to each other of one weight are one, all of a response without weights are.
fn runs(tokens: &[usize], weights: Option<&[f32]>) -> Vec<u32> {
    let mut number = 0;
    let ends = |pair: &[usize]| {
        pair[1] != pair[0] + 1 || weights.is_some_and(|weights| weights[pair[0]] != weights[pair[1]])
    };
    let next = tokens.windows(2).map(|pair| {
        number += u32::from(ends(pair));
        number
    });
    tokens.first().map(|_| 0).into_iter().chain(next).collect()
}

/// Several examples in one forward pass.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) examples: Vec<&'a TrainExample>,
    packed: PackedBatch,
    segments: Segments,
    weights: Vec<f64>,
    reference: Option<Vec<f64>>,
    rewards: Option<Vec<f64>>,
    /// Of every row, the part of its response that it belongs to.
    parts: Option<Vec<u32>>,
    /// Whether the weights say more than that all tokens count 1, for each side of each example.
    weighted: Vec<[bool; 2]>,
    pub(crate) pairs: Vec<PairRows>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        examples: Vec<&'a TrainExample>,
        objective: &Objective,
        choice: RowChoice,
    ) -> Result<Self, TrainError> {
        let items: Vec<PackItem<'_>> =
            examples.iter().map(|example| item(example, objective, choice)).collect();
        let packed = PackedBatch::pack(&items, choice.policy())?;
        let segments = Segments::new(packed.segment_offsets.clone(), packed.segment_parents.clone())?;
        let mut batch = Self {
            weights: vec![1.0; packed.row_targets.len()],
            reference: None,
            rewards: None,
            parts: None,
            weighted: Vec::with_capacity(examples.len()),
            pairs: Vec::with_capacity(examples.len()),
            examples,
            packed,
            segments,
        };
        batch.fill(objective, choice);
        Ok(batch)
    }

    /// Weights and reference log-probs of every row, from the tokens of the examples.
    fn fill(&mut self, objective: &Objective, choice: RowChoice) {
        let mut reference = vec![0.0; self.n_rows()];
        let mut rewards = reads_rewards(objective).then(|| vec![0.0; self.n_rows()]);
        let reads_parts = objective.inputs().contains(&Input::Segments);
        let mut parts = reads_parts.then(|| vec![0; self.n_rows()]);
        for (example, packed) in self.examples.iter().zip(&self.packed.pairs) {
            for (side, rows) in Side::BOTH.into_iter().zip([&packed.chosen, &packed.rejected]) {
                if !choice.takes(side, objective) {
                    continue;
                }
                let tokens = choice.tokens(example, side, objective);
                assert_eq!(tokens.len(), rows.len(), "packing left out rows of {side}");
                if let Some(parts) = &mut parts {
                    parts[rows.clone()].copy_from_slice(&runs(&tokens, example.weights(side)));
                }
                for (row, token) in rows.clone().zip(tokens) {
                    match (example.weights(side), &mut rewards) {
                        (Some(weights), None) => self.weights[row] = f64::from(weights[token]),
                        (Some(values), Some(rewards)) => rewards[row] = f64::from(values[token]),
                        (None, _) => {}
                    }
                    if let Some(logps) = example.reference(side) {
                        reference[row] = f64::from(logps[token]);
                    }
                }
            }
            self.weighted.push(Side::BOTH.map(|side| weights(example, side, objective).is_some()));
            self.pairs.push(PairRows {
                chosen: packed.chosen.clone(),
                rejected: packed.rejected.clone(),
                chosen_nominal: example.chosen_nominal,
                rejected_nominal: example.rejected_nominal,
            });
        }
        if objective.needs_reference() {
            self.reference = Some(reference);
        }
        self.rewards = rewards;
        self.parts = parts;
    }

    /// Multiplies the weights of tokens that count by those that the step makes.
    pub(crate) fn weigh(&mut self, by: &dyn StepWeights, logps: &[f64]) -> Result<(), TrainError> {
        for index in 0..self.examples.len() {
            for side in Side::BOTH {
                let counting = |row: &usize| self.weights[*row] != 0.0;
                let rows: Vec<usize> = self.rows(index, side).filter(counting).collect();
                let of = |values: &[f64]| -> Vec<f64> { rows.iter().map(|&row| values[row]).collect() };
                let reference = self.reference.as_deref().map(of);
                let weights = by.weights(side, &of(logps), reference.as_deref());
                if weights.len() != rows.len() || weights.iter().any(|weight| !weight.is_finite()) {
                    let row = self.examples[index].row;
                    let n_tokens = rows.len();
                    return Err(TrainError::StepWeights { weights: by.identity(), row, side, n_tokens });
                }
                for (row, weight) in rows.into_iter().zip(weights) {
                    self.weights[row] *= weight;
                }
            }
            self.weighted[index] = [true; 2];
        }
        Ok(())
    }

    /// Whether weights of tokens differ from one another, by what is known of them.
    pub(crate) fn is_weighted(&self, example: usize, side: Side) -> bool {
        self.weighted[example][usize::from(side == Side::Rejected)]
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.packed.row_targets.len()
    }

    pub(crate) fn n_tokens(&self) -> usize {
        self.packed.tokens.len()
    }

    /// The log-prob of every row, with nothing kept for a gradient.
    pub(crate) fn logps(
        &self,
        model: impl FnOnce(&SequenceBatch<'_>) -> Result<Vec<f64>, ModelError>,
    ) -> Result<Vec<f64>, TrainError> {
        // Examples of which nothing is predicted make a batch of no tokens, which no network has to know of.
        if self.n_rows() == 0 { Ok(Vec::new()) } else { Ok(model(&self.sequence())?) }
    }

    pub(crate) fn sequence(&self) -> SequenceBatch<'_> {
        SequenceBatch {
            tokens: &self.packed.tokens,
            segments: &self.segments,
            row_positions: &self.packed.row_positions,
            row_targets: &self.packed.row_targets,
        }
    }

    /// The loss's view of a pass.
    pub(crate) fn loss<'b, B: Backend>(
        &'b self,
        Forward { values, others, log_collisions, .. }: &'b Forward<B>,
    ) -> LossBatch<'b> {
        let there = |list: &'b Vec<f64>| (list.len() == self.n_rows()).then_some(&list[..]);
        LossBatch {
            logps: &values.logps,
            reference_logps: self.reference.as_deref(),
            forward_kls: there(&values.forward_kl),
            reverse_kls: there(&values.reverse_kl),
            token_rewards: self.rewards.as_deref(),
            extrapolations: there(&others.extrapolations),
            log_collisions: there(log_collisions),
            segments: self.parts.as_deref(),
            weights: &self.weights,
            pairs: &self.pairs,
        }
    }

    /// Rows of one side of one example.
    pub(crate) fn rows(&self, example: usize, side: Side) -> Range<usize> {
        let pair = &self.pairs[example];
        match side {
            Side::Chosen => pair.chosen.clone(),
            Side::Rejected => pair.rejected.clone(),
        }
    }

    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }
}

fn item<'e>(example: &'e TrainExample, objective: &Objective, choice: RowChoice) -> PackItem<'e> {
    // All rows: no weights, so that no policy may drop a token for its weight of 0.
    let weights_of = |side| match choice {
        RowChoice::Weighted => weights(example, side, objective),
        RowChoice::All => None,
    };
    let rejected = choice.takes(Side::Rejected, objective);
    PackItem {
        row: example.row,
        prompt_ids: &example.prompt_ids,
        chosen_ids: &example.chosen_ids,
        rejected_ids: if rejected { &example.rejected_ids } else { &[] },
        chosen_weights: weights_of(Side::Chosen),
        rejected_weights: if rejected { weights_of(Side::Rejected) } else { None },
    }
}

/// Source rows of the examples that have a log-prob that is not finite.
pub(crate) fn rows_not_finite(batch: &Batch<'_>, logps: &[f64]) -> Vec<u64> {
    let finite = |range: &Range<usize>| logps[range.clone()].iter().all(|logp| logp.is_finite());
    batch
        .examples
        .iter()
        .zip(&batch.pairs)
        .filter(|(_, pair)| !finite(&pair.chosen) || !finite(&pair.rejected))
        .map(|(example, _)| example.row)
        .collect()
}

/// Whether the objective has anything to learn from the example: rows on every side that it reads.
pub(crate) fn contributes(example: &TrainExample, objective: &Objective) -> bool {
    Side::BOTH.into_iter().all(|side| {
        !RowChoice::Weighted.takes(side, objective)
            || !RowChoice::Weighted.tokens(example, side, objective).is_empty()
    })
}

/// Tokens that the example takes in a forward pass.
pub(crate) fn packed_tokens(example: &TrainExample, objective: &Objective, choice: RowChoice) -> usize {
    item(example, objective, choice).packed_tokens(choice.policy())
}

/// The examples, in their order, cut into groups of at most `tokens_per_batch` tokens (or one longer example).
pub(crate) fn split<'a>(
    examples: &[&'a TrainExample],
    objective: &Objective,
    choice: RowChoice,
    tokens_per_batch: usize,
) -> Vec<Vec<&'a TrainExample>> {
    let lengths: Vec<usize> =
        examples.iter().map(|example| packed_tokens(example, objective, choice)).collect();
    plan_batches(&lengths, tokens_per_batch, usize::MAX)
        .into_iter()
        .map(|range| examples[range].to_vec())
        .collect()
}

#[cfg(test)]
mod tests {
    use sepo_loss::{Composition, Partition};

    use super::*;

    fn pair(n_prompt: usize, n_chosen: usize, n_rejected: usize) -> TrainExample {
        TrainExample::pair(0, vec![1; n_prompt], vec![2; n_chosen], vec![3; n_rejected])
    }

    const SEPO: Objective = Objective::SimPo { beta: 2.0, gamma: 0.0, label_smoothing: 0.0 };

    #[test]
    fn groups_keep_the_order_and_the_budget() {
        let examples = [pair(2, 3, 5), pair(2, 2, 2), pair(2, 20, 20), pair(1, 1, 1)];
        let examples: Vec<&TrainExample> = examples.iter().collect();
        let groups = split(&examples, &SEPO, RowChoice::All, 16);
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1]);
    }

    #[test]
    fn a_pair_without_rows_on_a_side_contributes_to_no_comparison() {
        let mut example = pair(2, 3, 3);
        example.rejected_weights = Some(vec![0.0; 3]);
        assert!(!contributes(&example, &SEPO));
        assert!(contributes(&example, &Objective::Sft));
        assert!(!contributes(&TrainExample::text(0, vec![4]), &Objective::Sft));
        assert!(contributes(&TrainExample::text(0, vec![4, 5]), &Objective::Sft));
    }

    #[test]
    fn runs_of_one_weight_are_the_parts_of_a_response() {
        assert_eq!(runs(&[0, 1, 2, 4, 5], Some(&[0.5, 0.5, 2.0, 0.0, 2.0, 2.0])), [0, 0, 1, 2, 2]);
        assert_eq!(runs(&[1, 2, 3], None), [0, 0, 0]);
        assert_eq!(runs(&[], None), [0_u32; 0]);
        let mut example = pair(2, 3, 2);
        example.chosen_weights = Some(vec![1.0, 0.5, 0.5]);
        let parts = Composition { partition: Partition::Segment, ..Composition::default() };
        let parts = Objective::composed("parts", parts);
        let batch = Batch::new(vec![&example], &parts, RowChoice::Weighted).unwrap();
        assert_eq!(batch.parts.as_deref(), Some(&[0, 1, 1, 0, 0][..]));
    }

    #[test]
    fn rows_carry_the_weight_and_the_reference_of_their_token() {
        let mut example = pair(2, 3, 2);
        example.chosen_weights = Some(vec![0.0, 0.5, 2.0]);
        example.reference =
            Some(crate::ReferenceLogps { chosen: vec![-1.0, -2.0, -3.0], rejected: vec![-4.0, -5.0] });
        let dpo = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };
        let batch = Batch::new(vec![&example], &dpo, RowChoice::Weighted).unwrap();
        assert_eq!(batch.weights(), [0.5, 2.0, 1.0, 1.0]);
        assert_eq!(batch.reference.as_deref().unwrap(), [-2.0, -3.0, -4.0, -5.0]);
    }
}
