//! A network beside others: the states of other models at the same positions, and how far from them it is.

use sepo_kernels::RowGradients;

use super::{Network, Pending};
use crate::ModelError;
use crate::backend::{Backend, FrozenHead, States};
use crate::batch::{RowValues, SequenceBatch};

fn check<B: Backend>(others: &[FrozenHead<'_, B>], n_needed: usize, vocab: usize) -> Result<(), ModelError> {
    others.iter().try_for_each(|other| other.check(n_needed, vocab))
}

impl<B: Backend> Network<B> {
    /// `log Σ_v π(v)²` of every row's distribution, in nats and the caller's order, of the last [`Network::forward`] or
    /// [`Network::forward_beside`], whose way back is still to come; see [`log_collisions`](sepo_kernels::log_collisions).
    ///
    /// # Errors
    ///
    /// [`ModelError::NoForward`] where there was none.
    pub fn log_collisions(&self, parameters: &B::Parameters) -> Result<Vec<f64>, ModelError> {
        let Some(pending) = &self.pending else { return Err(ModelError::NoForward) };
        let weights = self.weights(&self.on, parameters);
        self.head.log_collisions(weights, &pending.context)
    }

    /// The states behind the final norm at the positions that rows read: what another network's
    /// [`Network::forward_beside`] compares itself with.
    ///
    /// # Errors
    ///
    /// As [`Network::logps`].
    pub fn states(
        &mut self,
        parameters: &B::Parameters,
        batch: &SequenceBatch<'_>,
    ) -> Result<States<B>, ModelError> {
        let (context, placed) = self.begin(batch)?;
        let on = self.on.clone();
        let weights = self.weights(&on, parameters);
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
        parameters: &B::Parameters,
        batch: &SequenceBatch<'_>,
        others: &[FrozenHead<'_, B>],
    ) -> Result<RowValues, ModelError> {
        let (context, placed) = self.begin(batch)?;
        check(others, context.needed.len(), self.config.vocab)?;
        let on = self.on.clone();
        let weights = self.weights(&on, parameters);
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
        parameters: &B::Parameters,
        others: &[FrozenHead<'_, B>],
        d: RowGradients<'_>,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let on = self.on.clone();
        let weights = self.weights(&on, parameters);
        let lists = [d.logps, d.forward_kl, d.reverse_kl];
        let pending = self.take_pending(&lists, B::n_gradient(gradient), weights)?;
        check(others, pending.context.needed.len(), self.config.vocab)?;
        let n = self.blocks.len();
        let mut dx = std::mem::take(&mut self.gradient);
        let at = (&self.inputs[n], &pending.context);
        self.head.backward_beside(weights, at, others, d, &mut dx, gradient)?;
        self.run_back(weights, &pending, dx, gradient)
    }
}
