//! What a batch asks for, checked once, and what every layer needs to know of it.

mod extent;
mod row_values;

use sepo_kernels::{Rows, Segments};

use crate::ModelError;

pub(crate) use extent::Extent;
pub use row_values::RowValues;

/// A flat run of tokens, its segments, and the rows for which a log-probability is wanted.
#[derive(Debug, Clone, Copy)]
pub struct SequenceBatch<'a> {
    /// Token ids, one segment after the other.
    pub tokens: &'a [u32],
    /// Which tokens form a segment and which segment continues which.
    pub segments: &'a Segments,
    /// For each row, the flat index of the token whose hidden state predicts the target. Any order, repeats allowed.
    pub row_positions: &'a [u32],
    /// For each row, the id whose log-probability is wanted.
    pub row_targets: &'a [u32],
}

impl SequenceBatch<'_> {
    /// For each row, the place of its state in the [`States`](crate::States) of the batch.
    #[must_use]
    pub fn state_of_rows(&self) -> Vec<usize> {
        let mut positions = self.row_positions.to_vec();
        positions.sort_unstable();
        positions.dedup();
        let place = |position| positions.partition_point(|p| p < position);
        self.row_positions.iter().map(place).collect()
    }
}

/// A checked batch.
#[derive(Debug)]
pub struct BatchContext {
    pub(crate) segments: Segments,
    /// Where each token stands in its sequence.
    pub(crate) positions: Vec<u32>,
    /// Flat token indices that the head looks at, ascending, each once.
    pub(crate) needed: Vec<u32>,
    /// Where these stand in their sequences.
    pub(crate) needed_positions: Vec<u32>,
    /// Rows sorted by their place in `needed`.
    pub(crate) rows: Rows,
    /// `order[j]` is the caller's index of sorted row `j`.
    pub(crate) order: Vec<usize>,
}

impl BatchContext {
    pub(crate) fn new(batch: &SequenceBatch<'_>, vocab: usize) -> Result<Self, ModelError> {
        same_length("tokens", batch.tokens.len(), batch.segments.n_tokens())?;
        same_length("row targets", batch.row_targets.len(), batch.row_positions.len())?;
        if let Some(index) = batch.tokens.iter().position(|id| *id as usize >= vocab) {
            return Err(ModelError::TokenOutOfVocab { index, id: batch.tokens[index], vocab });
        }
        if let Some(index) = batch.row_targets.iter().position(|id| *id as usize >= vocab) {
            return Err(ModelError::TokenOutOfVocab { index, id: batch.row_targets[index], vocab });
        }
        if let Some(&found) = batch.row_positions.iter().find(|p| **p as usize >= batch.tokens.len()) {
            return Err(ModelError::BatchShape {
                what: "tokens, too few for a row's position",
                found: batch.tokens.len(),
                expected: found as usize + 1,
            });
        }
        let mut order: Vec<usize> = (0..batch.row_positions.len()).collect();
        order.sort_by_key(|row| batch.row_positions[*row]);
        let mut needed: Vec<u32> = Vec::new();
        let mut hidden_rows = Vec::with_capacity(order.len());
        for row in &order {
            let position = batch.row_positions[*row];
            if needed.last() != Some(&position) {
                needed.push(position);
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "no longer than row_positions, whose values are u32"
            )]
            hidden_rows.push((needed.len() - 1) as u32);
        }
        let targets = order.iter().map(|row| batch.row_targets[*row]).collect();
        let rows = Rows::new(hidden_rows, targets, needed.len(), vocab)?;
        let positions = batch.segments.positions();
        let needed_positions = needed.iter().map(|token| positions[*token as usize]).collect();
        Ok(Self { segments: batch.segments.clone(), positions, needed, needed_positions, rows, order })
    }

    pub(crate) fn n_tokens(&self) -> usize {
        self.positions.len()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.order.len()
    }

    /// Values of the sorted rows, in the order in which the caller named the rows.
    pub(crate) fn in_callers_order(&self, sorted: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; sorted.len()];
        for (row, value) in self.order.iter().zip(sorted) {
            values[*row] = *value;
        }
        values
    }

    /// Values in the caller's order, as the sorted rows need them.
    pub(crate) fn in_sorted_order(&self, values: &[f64]) -> Vec<f64> {
        self.order.iter().map(|row| values[*row]).collect()
    }
}

pub(crate) fn same_length(what: &'static str, found: usize, expected: usize) -> Result<(), ModelError> {
    if found == expected { Ok(()) } else { Err(ModelError::BatchShape { what, found, expected }) }
}
