//! States of one model, for another to be compared with.

use std::ops::Range;

use super::{Backend, Cpu};
use crate::ModelError;
use crate::batch::same_length;

/// A model's states behind its final norm, at the positions that rows of a batch read, ascending, each once.
///
/// [`SequenceBatch::state_of_rows`](crate::SequenceBatch::state_of_rows) says which of them a row reads.
#[derive(Debug)]
pub struct States<B: Backend = Cpu> {
    pub(crate) hidden: B::Values,
    pub(crate) d_model: usize,
    /// Of the head in the flat buffer of weights.
    pub(crate) lm_head: Range<usize>,
}

impl<B: Backend> States<B> {
    /// How many positions there are.
    #[must_use]
    pub fn n_positions(&self) -> usize {
        B::len(&self.hidden) / self.d_model
    }

    /// The states with logits that are so many times as large at each position, one factor a position: for a distribution
    /// that is made of several models.
    ///
    /// # Errors
    ///
    /// Where the machine fails; the CPU does not.
    ///
    /// # Panics
    ///
    /// If there is not one factor a position.
    pub fn scaled_each(mut self, on: &B, factors: &[f64]) -> Result<Self, ModelError> {
        assert_eq!(factors.len(), self.n_positions(), "one factor a position");
        #[expect(clippy::cast_possible_truncation, reason = "states are f32")]
        let factors: Vec<f32> = factors.iter().map(|factor| *factor as f32).collect();
        on.scale_rows(&mut self.hidden, self.d_model, &factors)?;
        Ok(self)
    }

    /// The states with the head that makes logits of them; `parameters` are those of the model that made the states.
    #[must_use]
    pub fn with_head<'a>(&'a self, parameters: &'a B::Parameters) -> FrozenHead<'a, B> {
        FrozenHead { states: self, weights: B::flat(parameters) }
    }
}

/// A frozen model's states with the head that makes logits of them.
#[derive(Debug)]
pub struct FrozenHead<'a, B: Backend = Cpu> {
    pub(crate) states: &'a States<B>,
    pub(crate) weights: &'a B::Flat,
}

impl<B: Backend> Clone for FrozenHead<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for FrozenHead<'_, B> {}

impl<B: Backend> FrozenHead<'_, B> {
    /// Nothing, where the states are at so many positions and the head knows so many tokens.
    pub(crate) fn check(&self, n_needed: usize, vocab: usize) -> Result<(), ModelError> {
        let States { hidden, d_model, lm_head } = self.states;
        same_length("states of another model", B::len(hidden), n_needed * d_model)?;
        same_length("head of another model", lm_head.len(), vocab * d_model)
    }
}
