//! The last norm and the output head, at the needed positions only.

use std::ops::Range;

use sepo_kernels::{
    DivergenceScratch, GatheredDivergences, HeadStates, LinearShape, RowGradients, Write, gather_divergences,
    gather_divergences_backward, linear, log_collisions,
};

use super::beside::{RowValues, States};
use crate::architecture::{Architecture, NormAt};
use crate::backend::{Backend, Cpu, HeadAt, NormBack, NormStats, Weights};
use crate::batch::BatchContext;
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
    diverged: Option<GatheredDivergences>,
    divergence_scratch: DivergenceScratch,
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
            diverged: None,
            divergence_scratch: DivergenceScratch::default(),
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
}

/// What needs whole distributions: on the CPU.
impl Head {
    /// The states behind the final norm.
    pub(crate) fn states(&mut self, weights: Weights<'_>, x: &Vec<f32>) -> Result<States, ModelError> {
        self.normalise(weights, x)?;
        Ok(States { hidden: self.hidden.clone(), d_model: self.d_model, lm_head: self.weight.clone() })
    }

    fn own<'a>(&'a self, weights: Weights<'a>) -> HeadStates<'a> {
        HeadStates { hidden: &self.hidden, lm_head: weights.at(&self.weight), d_model: self.d_model }
    }

    /// The same as [`Head::forward`], with divergences from others.
    pub(crate) fn forward_beside(
        &mut self,
        weights: Weights<'_>,
        x: &Vec<f32>,
        context: &BatchContext,
        others: &[HeadStates<'_>],
    ) -> Result<RowValues, ModelError> {
        self.normalise(weights, x)?;
        let mut scratch = std::mem::take(&mut self.divergence_scratch);
        scratch.precision = weights.precision;
        let gathered = gather_divergences(self.own(weights), others, &context.rows, &mut scratch);
        self.divergence_scratch = scratch;
        let values = RowValues {
            logps: context.in_callers_order(&gathered.logps),
            forward_kl: context.in_callers_order(&gathered.forward_kl),
            reverse_kl: context.in_callers_order(&gathered.reverse_kl),
        };
        self.diverged = Some(gathered);
        Ok(values)
    }

    /// `log Σ_v p(v)²` of every row's distribution, in the caller's order, at the states of the last pass.
    pub(crate) fn log_collisions(&self, weights: Weights<'_>, context: &BatchContext) -> Vec<f64> {
        let of_states = log_collisions(self.own(weights), weights.precision);
        let sorted: Vec<f64> =
            context.rows.hidden_rows().iter().map(|state| of_states[*state as usize]).collect();
        context.in_callers_order(&sorted)
    }

    /// The logits of every row of `x`, `[n, vocab]`; for the few rows of a decoding step.
    pub(crate) fn logits(&mut self, weights: Weights<'_>, x: &Vec<f32>) -> Result<Vec<f32>, ModelError> {
        self.normalise(weights, x)?;
        let shape = LinearShape { n_rows: x.len() / self.d_model, d_in: self.d_model, d_out: self.vocab };
        let mut logits = vec![0.0; shape.n_rows * self.vocab];
        let lm_head = weights.at(&self.weight);
        linear(&self.hidden, lm_head, &mut logits, shape, Write::Overwrite, weights.precision);
        Ok(logits)
    }

    /// The same as [`Head::backward`] for the last [`Head::forward_beside`].
    pub(crate) fn backward_beside(
        &mut self,
        weights: Weights<'_>,
        (x, context): (&Vec<f32>, &BatchContext),
        others: &[HeadStates<'_>],
        d: RowGradients<'_>,
        dx: &mut Vec<f32>,
        gradient: &mut [f32],
    ) -> Result<(), ModelError> {
        let gathered = self.diverged.take().ok_or(ModelError::NoForward)?;
        let [logps, forward_kl, reverse_kl] =
            [d.logps, d.forward_kl, d.reverse_kl].map(|d| context.in_sorted_order(d));
        let d = RowGradients { logps: &logps, forward_kl: &forward_kl, reverse_kl: &reverse_kl };
        let mut dhidden = std::mem::take(&mut self.dhidden);
        dhidden.resize(self.hidden.len(), 0.0);
        let mut scratch = std::mem::take(&mut self.divergence_scratch);
        gather_divergences_backward(
            self.own(weights),
            others,
            &context.rows,
            &gathered,
            d,
            &mut dhidden,
            &mut gradient[self.weight.clone()],
            &mut scratch,
        );
        (self.divergence_scratch, self.dhidden) = (scratch, dhidden);
        self.norm_backward(weights, x, dx, gradient)
    }
}
