//! The last norm and the output head, at the needed positions only.

use std::ops::Range;

use sepo_kernels::{RowGradients, Write};

use crate::architecture::{Architecture, NormAt};
use crate::backend::{Backend, Cpu, FrozenHead, HeadAt, NormBack, NormStats, States, Weights};
use crate::batch::{BatchContext, RowValues};
use crate::{ModelConfig, ModelError};

/// Final norm and `lm_head`; everything in it is `[needed positions, d_model]`.
#[derive(Debug)]
pub(crate) struct Head<B: Backend = Cpu> {
    norm: NormAt,
    weight: Range<usize>,
    d_model: usize,
    vocab: usize,
    eps: f32,
    stats: NormStats<B>,
    hidden: B::Values,
    dhidden: B::Values,
    logps: B::Head,
}

impl<B: Backend> Head<B> {
    pub(crate) fn new(config: &ModelConfig, architecture: &Architecture) -> Self {
        Self {
            norm: architecture.final_norm.clone(),
            weight: architecture.lm_head.clone(),
            d_model: config.d_model,
            vocab: config.vocab,
            eps: config.norm_eps,
            stats: NormStats::default(),
            hidden: B::Values::default(),
            dhidden: B::Values::default(),
            logps: B::Head::default(),
        }
    }

    fn normalise(&mut self, weights: Weights<'_, B>, x: &B::Values) -> Result<(), ModelError> {
        weights.on.norm(weights, &self.norm, self.eps, x, &mut self.hidden, &mut self.stats)
    }

    /// The rows' log-probabilities, in the caller's order, from the last block's output, `[needed positions, d_model]`.
    ///
    /// Where a backward pass follows, it is left the logits that fit.
    pub(crate) fn forward(
        &mut self,
        weights: Weights<'_, B>,
        x: &B::Values,
        (context, batch): (&BatchContext, &B::Batch),
        backward_follows: bool,
    ) -> Result<Vec<f64>, ModelError> {
        self.normalise(weights, x)?;
        let at =
            HeadAt { lm_head: &self.weight, hidden: &self.hidden, d_model: self.d_model, vocab: self.vocab };
        let logps = weights.on.logps(weights, batch, context, at, &mut self.logps, backward_follows)?;
        Ok(context.in_callers_order(&logps))
    }

    /// The gradient of the last block's output into `dx`, for the last [`Head::forward`].
    pub(crate) fn backward(
        &mut self,
        weights: Weights<'_, B>,
        x: &B::Values,
        (context, batch): (&BatchContext, &B::Batch),
        dlogps: &[f64],
        dx: &mut B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let dlogps = context.in_sorted_order(dlogps);
        let at =
            HeadAt { lm_head: &self.weight, hidden: &self.hidden, d_model: self.d_model, vocab: self.vocab };
        let (head, dhidden) = (&mut self.logps, &mut self.dhidden);
        weights.on.logps_backward(weights, batch, context, at, head, &dlogps, dhidden, gradient)?;
        self.norm_backward(weights, x, dx, gradient)
    }

    fn norm_backward(
        &self,
        weights: Weights<'_, B>,
        x: &B::Values,
        dx: &mut B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let back = NormBack { at: &self.norm, x, stats: &self.stats, dy: &self.dhidden };
        weights.on.norm_backward(weights, back, dx, Write::Overwrite, gradient)
    }

    /// The states behind the final norm.
    pub(crate) fn states(&mut self, weights: Weights<'_, B>, x: &B::Values) -> Result<States<B>, ModelError> {
        self.normalise(weights, x)?;
        let mut hidden = B::Values::default();
        weights.on.copy(&self.hidden, &mut hidden)?;
        Ok(States { hidden, d_model: self.d_model, lm_head: self.weight.clone() })
    }

    /// The same as [`Head::forward`], with divergences from others.
    pub(crate) fn forward_beside(
        &mut self,
        weights: Weights<'_, B>,
        x: &B::Values,
        context: &BatchContext,
        others: &[FrozenHead<'_, B>],
    ) -> Result<RowValues, ModelError> {
        self.normalise(weights, x)?;
        let at =
            HeadAt { lm_head: &self.weight, hidden: &self.hidden, d_model: self.d_model, vocab: self.vocab };
        let values = weights.on.divergences(weights, context, at, others, &mut self.logps)?;
        Ok(values.in_callers_order(context))
    }

    /// The same as [`Head::backward`] for the last [`Head::forward_beside`].
    pub(crate) fn backward_beside(
        &mut self,
        weights: Weights<'_, B>,
        (x, context): (&B::Values, &BatchContext),
        others: &[FrozenHead<'_, B>],
        d: RowGradients<'_>,
        dx: &mut B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let [logps, forward_kl, reverse_kl] =
            [d.logps, d.forward_kl, d.reverse_kl].map(|d| context.in_sorted_order(d));
        let d = RowGradients { logps: &logps, forward_kl: &forward_kl, reverse_kl: &reverse_kl };
        let at =
            HeadAt { lm_head: &self.weight, hidden: &self.hidden, d_model: self.d_model, vocab: self.vocab };
        let (head, dhidden) = (&mut self.logps, &mut self.dhidden);
        weights.on.divergences_backward(weights, context, at, others, head, d, dhidden, gradient)?;
        self.norm_backward(weights, x, dx, gradient)
    }

    /// `log Σ_v p(v)²` of every row's distribution, in the caller's order, at the states of the last pass.
    pub(crate) fn log_collisions(
        &self,
        weights: Weights<'_, B>,
        context: &BatchContext,
    ) -> Result<Vec<f64>, ModelError> {
        let at =
            HeadAt { lm_head: &self.weight, hidden: &self.hidden, d_model: self.d_model, vocab: self.vocab };
        let of_states = weights.on.log_collisions(weights, at)?;
        let sorted: Vec<f64> =
            context.rows.hidden_rows().iter().map(|state| of_states[*state as usize]).collect();
        Ok(context.in_callers_order(&sorted))
    }

    /// The logits of every row of `x`, `[n, vocab]`; for the few rows of a decoding step.
    pub(crate) fn logits(&mut self, weights: Weights<'_, B>, x: &B::Values) -> Result<Vec<f32>, ModelError> {
        self.normalise(weights, x)?;
        let at =
            HeadAt { lm_head: &self.weight, hidden: &self.hidden, d_model: self.d_model, vocab: self.vocab };
        weights.on.logits(weights, at)
    }
}
