//! A network beside others: the states of other models at the same positions, and how far from them it is.

use std::ops::Range;

use sepo_kernels::{HeadStates, RowGradients};

use super::{Network, Pending};
use crate::batch::{SequenceBatch, same_length};
use crate::{ModelError, Parameters};

/// A model's states behind its final norm, at the positions that rows of a batch read, ascending, each once.
///
/// [`SequenceBatch::state_of_rows`] says which of them a row reads.
#[derive(Debug, Clone)]
pub struct States {
    pub(super) hidden: Vec<f32>,
    pub(super) d_model: usize,
    /// Of the head in the flat buffer of weights.
    pub(super) lm_head: Range<usize>,
}

impl States {
    /// How many positions there are.
    #[must_use]
    pub fn n_positions(&self) -> usize {
        self.hidden.len() / self.d_model
    }

    /// The values of all states, position by position.
    pub(crate) fn into_hidden(self) -> Vec<f32> {
        self.hidden
    }

    /// The states with logits that are `factor` times as large: for a distribution that is made of several models.
    #[must_use]
    pub fn scaled(mut self, factor: f32) -> Self {
        self.hidden.iter_mut().for_each(|x| *x *= factor);
        self
    }

    /// The states with logits that are so many times as large at each position, one factor a position.
    ///
    /// # Panics
    ///
    /// If there is not one factor a position.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "states are f32")]
    pub fn scaled_each(mut self, factors: &[f64]) -> Self {
        assert_eq!(factors.len(), self.n_positions(), "one factor a position");
        for (state, factor) in self.hidden.chunks_mut(self.d_model).zip(factors) {
            state.iter_mut().for_each(|x| *x *= *factor as f32);
        }
        self
    }

    /// The states with the head that makes logits of them; `parameters` are those of the model that made the states.
    #[must_use]
    pub fn with_head<'a>(&'a self, parameters: &'a Parameters) -> HeadStates<'a> {
        HeadStates {
            hidden: &self.hidden,
            lm_head: &parameters.as_slice()[self.lm_head.clone()],
            d_model: self.d_model,
        }
    }
}

/// What a pass beside other models makes of every row, in the caller's order, in nats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowValues {
    /// Log-probability of the row's target.
    pub logps: Vec<f64>,
    /// `KL(others ‖ network)`.
    pub forward_kl: Vec<f64>,
    /// `KL(network ‖ others)`.
    pub reverse_kl: Vec<f64>,
}

fn check(others: &[HeadStates<'_>], n_needed: usize, vocab: usize) -> Result<(), ModelError> {
    for other in others {
        same_length("states of another model", other.hidden.len(), n_needed * other.d_model)?;
        same_length("head of another model", other.lm_head.len(), vocab * other.d_model)?;
    }
    Ok(())
}

impl Network {
    /// `log Σ_v π(v)²` of every row's distribution, in nats and the caller's order, of the last [`Network::forward`] or
    /// [`Network::forward_beside`], whose way back is still to come; see [`log_collisions`](sepo_kernels::log_collisions).
    ///
    /// # Errors
    ///
    /// [`ModelError::NoForward`] where there was none.
    pub fn log_collisions(&self, parameters: &Parameters) -> Result<Vec<f64>, ModelError> {
        let Some(pending) = &self.pending else { return Err(ModelError::NoForward) };
        Ok(self.head.log_collisions(self.weights(parameters), &pending.context))
    }

    /// The states behind the final norm at the positions that rows read: what another network's
    /// [`Network::forward_beside`] compares itself with.
    ///
    /// # Errors
    ///
    /// As [`Network::logps`].
    pub fn states(
        &mut self,
        parameters: &Parameters,
        batch: &SequenceBatch<'_>,
    ) -> Result<States, ModelError> {
        let (context, placed) = self.begin(batch)?;
        let weights = self.weights(parameters);
        self.run(weights, batch.tokens, (&context, &placed))?;
        self.head.states(weights, &self.inputs[0])
    }

    /// The same, with the divergences of every row's distribution from that of `others`, whose logits are added up; see
    /// [`gather_divergences`](sepo_kernels::gather_divergences). They need [`Network::backward_beside`].
    ///
    /// # Errors
    ///
    /// As [`Network::logps`], and [`ModelError::BatchShape`] where others have other positions or another vocabulary.
    pub fn forward_beside(
        &mut self,
        parameters: &Parameters,
        batch: &SequenceBatch<'_>,
        others: &[HeadStates<'_>],
    ) -> Result<RowValues, ModelError> {
        let (context, placed) = self.begin(batch)?;
        check(others, context.needed.len(), self.config.vocab)?;
        let weights = self.weights(parameters);
        self.run_keeping(weights, batch.tokens, (&context, &placed))?;
        let n = self.blocks.len();
        let values = self.head.forward_beside(weights, &self.inputs[n], &context, others)?;
        self.pending = Some(Pending { context, batch: placed, tokens: batch.tokens.to_vec() });
        Ok(values)
    }

    /// Adds to `gradient` the gradient of `Σ d.logps[i] · logps[i] + …` over the three values of every row, for the last
    /// [`Network::forward_beside`], which it uses up. `others` are those of that pass.
    ///
    /// # Errors
    ///
    /// As [`Network::backward`] and [`Network::forward_beside`].
    pub fn backward_beside(
        &mut self,
        parameters: &Parameters,
        others: &[HeadStates<'_>],
        d: RowGradients<'_>,
        gradient: &mut [f32],
    ) -> Result<(), ModelError> {
        let weights = self.weights(parameters);
        let lists = [d.logps, d.forward_kl, d.reverse_kl];
        let pending = self.take_pending(&lists, gradient.len(), weights)?;
        check(others, pending.context.needed.len(), self.config.vocab)?;
        let n = self.blocks.len();
        let mut dx = std::mem::take(&mut self.gradient);
        let at = (&self.inputs[n], &pending.context);
        self.head.backward_beside(weights, at, others, d, &mut dx, gradient)?;
        self.run_back(weights, &pending, dx, gradient)
    }
}
