//! The states at the tokens of responses.

use std::ops::Range;

use sepo_kernels::Segments;

use crate::{Backend, FrozenModel, ModelError, SequenceBatch};

/// A prompt and its two responses.
#[derive(Debug, Clone, Copy)]
pub struct PairTokens<'a> {
    /// Before both.
    pub prompt: &'a [u32],
    /// The preferred response.
    pub chosen: &'a [u32],
    /// The dispreferred one.
    pub rejected: &'a [u32],
}

/// A model's states behind its final norm at every token of some pairs' responses.
#[derive(Debug, Clone, Default)]
pub struct ResponseStates {
    hidden: Vec<f32>,
    d_model: usize,
    sides: Vec<[Range<usize>; 2]>,
}

impl ResponseStates {
    /// Values in a state.
    #[must_use]
    pub fn d_model(&self) -> usize {
        self.d_model
    }

    /// One state a response token, of each pair the chosen response's first.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.hidden.chunks(self.d_model.max(1))
    }

    /// Which states are those of the chosen and of the rejected response of each pair.
    #[must_use]
    pub fn sides(&self) -> &[[Range<usize>; 2]] {
        &self.sides
    }
}

impl<B: Backend> FrozenModel<'_, B> {
    /// The states at every response token of some pairs, from one pass in which responses share their prompt.
    ///
    /// # Errors
    ///
    /// As [`FrozenModel::logps`].
    pub fn response_states(&mut self, pairs: &[PairTokens<'_>]) -> Result<ResponseStates, ModelError> {
        let mut packed = Packed::default();
        pairs.iter().for_each(|pair| packed.add(pair));
        let Packed { tokens, offsets, parents, positions, sides } = packed;
        if positions.is_empty() {
            return Ok(ResponseStates { hidden: Vec::new(), d_model: self.config().d_model, sides });
        }
        let segments = Segments::new(offsets, parents)?;
        let targets: Vec<u32> = positions.iter().map(|position| tokens[*position as usize]).collect();
        let batch = SequenceBatch {
            tokens: &tokens,
            segments: &segments,
            row_positions: &positions,
            // Nobody asks for their log-probabilities.
            row_targets: &targets,
        };
        let hidden = self.states_on_host(&batch)?;
        Ok(ResponseStates { hidden, d_model: self.config().d_model, sides })
    }
}

/// Pairs as one run of tokens: of each the prompt, and both responses as its continuations.
#[derive(Default)]
struct Packed {
    tokens: Vec<u32>,
    offsets: Vec<usize>,
    parents: Vec<Option<usize>>,
    /// Of response tokens, ascending.
    positions: Vec<u32>,
    sides: Vec<[Range<usize>; 2]>,
}

impl Packed {
    fn add(&mut self, pair: &PairTokens<'_>) {
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        let prompt = self.parents.len();
        self.segment(pair.prompt, None);
        let sides = [pair.chosen, pair.rejected].map(|response| {
            let (from, start) = (self.tokens.len(), self.positions.len());
            self.segment(response, Some(prompt));
            #[expect(clippy::cast_possible_truncation, reason = "a batch has far fewer than 2^32 tokens")]
            self.positions.extend((from..self.tokens.len()).map(|position| position as u32));
            start..self.positions.len()
        });
        self.sides.push(sides);
    }

    fn segment(&mut self, ids: &[u32], parent: Option<usize>) {
        self.tokens.extend_from_slice(ids);
        self.offsets.push(self.tokens.len());
        self.parents.push(parent);
    }
}
