//! The last norm and the output head, at the needed positions only.

use std::ops::Range;

use sepo_kernels::{
    DivergenceScratch, GatheredDivergences, GatheredLogps, HeadScratch, HeadShape, HeadStates, LinearShape,
    RowGradients, Write, gather_divergences, gather_divergences_backward, gather_logps,
    gather_logps_backward, linear, log_collisions,
};

use super::beside::{RowValues, States};
use super::norm::{NormBackward, NormStats, norm_forward};
use super::{BatchContext, Weights};
use crate::ModelConfig;
use crate::architecture::{Architecture, NormAt};

/// Logits that a forward pass may leave for its backward pass: 256 MB. Beyond that they are computed again.
pub const MAX_KEPT_LOGITS: usize = 64 << 20;

/// Final norm and `lm_head`; everything in it is `[needed positions, d_model]`.
#[derive(Debug)]
pub(crate) struct Head {
    norm: NormAt,
    weight: Range<usize>,
    d_model: usize,
    vocab: usize,
    eps: f32,
    stats: NormStats,
    hidden: Vec<f32>,
    dhidden: Vec<f32>,
    gathered: Option<GatheredLogps>,
    scratch: HeadScratch,
    diverged: Option<GatheredDivergences>,
    divergence_scratch: DivergenceScratch,
}

impl Head {
    pub(crate) fn new(config: &ModelConfig, architecture: &Architecture) -> Self {
        Self {
            norm: architecture.final_norm.clone(),
            weight: architecture.lm_head.clone(),
            d_model: config.d_model,
            vocab: config.vocab,
            eps: config.norm_eps,
            stats: NormStats::default(),
            hidden: Vec::new(),
            dhidden: Vec::new(),
            gathered: None,
            scratch: HeadScratch::default(),
            diverged: None,
            divergence_scratch: DivergenceScratch::default(),
        }
    }

    fn shape(&self, context: &BatchContext) -> HeadShape {
        HeadShape { n_hidden: context.needed.len(), d_model: self.d_model, vocab: self.vocab }
    }

    /// The rows' log-probabilities, in the caller's order, from the last block's output, `[needed positions, d_model]`.
    ///
    /// Where a backward pass follows, it is left the logits that fit.
    pub(crate) fn forward(
        &mut self,
        weights: Weights<'_>,
        x: &[f32],
        context: &BatchContext,
        backward_follows: bool,
    ) -> Vec<f64> {
        self.scratch.precision = weights.precision;
        self.scratch.max_kept = if backward_follows { MAX_KEPT_LOGITS } else { 0 };
        norm_forward(weights, &self.norm, self.eps, x, &mut self.hidden, &mut self.stats);
        let lm_head = weights.at(&self.weight);
        let gathered =
            gather_logps(&self.hidden, lm_head, &context.rows, self.shape(context), &mut self.scratch);
        let logps = context.in_callers_order(&gathered.logps);
        self.gathered = Some(gathered);
        logps
    }

    /// The states behind the final norm.
    pub(crate) fn states(&mut self, weights: Weights<'_>, x: &[f32]) -> States {
        norm_forward(weights, &self.norm, self.eps, x, &mut self.hidden, &mut self.stats);
        States { hidden: self.hidden.clone(), d_model: self.d_model, lm_head: self.weight.clone() }
    }

    fn own<'a>(&'a self, weights: Weights<'a>) -> HeadStates<'a> {
        HeadStates { hidden: &self.hidden, lm_head: weights.at(&self.weight), d_model: self.d_model }
    }

    /// The same as [`Head::forward`], with divergences from others.
    pub(crate) fn forward_beside(
        &mut self,
        weights: Weights<'_>,
        x: &[f32],
        context: &BatchContext,
        others: &[HeadStates<'_>],
    ) -> RowValues {
        norm_forward(weights, &self.norm, self.eps, x, &mut self.hidden, &mut self.stats);
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
        values
    }

    /// `log Σ_v p(v)²` of every row's distribution, in the caller's order, at the states of the last pass.
    pub(crate) fn log_collisions(&self, weights: Weights<'_>, context: &BatchContext) -> Vec<f64> {
        let of_states = log_collisions(self.own(weights), weights.precision);
        let sorted: Vec<f64> =
            context.rows.hidden_rows().iter().map(|state| of_states[*state as usize]).collect();
        context.in_callers_order(&sorted)
    }

    /// The logits of every row of `x`, `[n, vocab]`; for the few rows of a decoding step.
    pub(crate) fn logits(&mut self, weights: Weights<'_>, x: &[f32]) -> Vec<f32> {
        norm_forward(weights, &self.norm, self.eps, x, &mut self.hidden, &mut self.stats);
        let shape = LinearShape { n_rows: x.len() / self.d_model, d_in: self.d_model, d_out: self.vocab };
        let mut logits = vec![0.0; shape.n_rows * self.vocab];
        linear(
            &self.hidden,
            weights.at(&self.weight),
            &mut logits,
            shape,
            Write::Overwrite,
            weights.precision,
        );
        logits
    }

    /// The gradient of the last block's output into `dx`, for the last [`Head::forward`].
    pub(crate) fn backward(
        &mut self,
        weights: Weights<'_>,
        x: &[f32],
        context: &BatchContext,
        dlogps: &[f64],
        dx: &mut Vec<f32>,
        gradient: &mut [f32],
    ) {
        dx.resize(x.len(), 0.0);
        let Some(gathered) = self.gathered.take() else { return dx.fill(0.0) };
        let dlogps = context.in_sorted_order(dlogps);
        let shape = self.shape(context);
        self.dhidden.resize(self.hidden.len(), 0.0);
        let lm_head = weights.at(&self.weight);
        let dlm_head = &mut gradient[self.weight.clone()];
        let rows = &context.rows;
        gather_logps_backward(
            &self.hidden,
            lm_head,
            rows,
            &gathered,
            &dlogps,
            &mut self.dhidden,
            dlm_head,
            shape,
            &mut self.scratch,
        );
        self.norm_backward(weights, x, dx, gradient);
    }

    /// The same for the last [`Head::forward_beside`].
    pub(crate) fn backward_beside(
        &mut self,
        weights: Weights<'_>,
        (x, context): (&[f32], &BatchContext),
        others: &[HeadStates<'_>],
        d: RowGradients<'_>,
        dx: &mut Vec<f32>,
        gradient: &mut [f32],
    ) {
        dx.resize(x.len(), 0.0);
        let Some(gathered) = self.diverged.take() else { return dx.fill(0.0) };
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
        self.norm_backward(weights, x, dx, gradient);
    }

    fn norm_backward(&self, weights: Weights<'_>, x: &[f32], dx: &mut [f32], gradient: &mut [f32]) {
        NormBackward { weights, at: &self.norm, x, stats: &self.stats, dy: &self.dhidden }.run(
            dx,
            Write::Overwrite,
            gradient,
        );
    }
}
