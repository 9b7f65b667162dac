//! The output head on the CPU.

use sepo_kernels::{
    DivergenceScratch, GatheredDivergences, GatheredLogps, HeadScratch, HeadShape, HeadStates, RowGradients,
    gather_divergences, gather_divergences_backward, gather_logps, gather_logps_backward,
};

use super::Cpu;
use crate::ModelError;
use crate::backend::{FrozenHead, HeadAt, States, Weights};
use crate::batch::{BatchContext, RowValues};

/// What the head leaves for its way back, and works in.
#[derive(Debug, Default)]
pub struct CpuHead {
    gathered: Option<GatheredLogps>,
    scratch: HeadScratch,
    diverged: Option<GatheredDivergences>,
    divergence_scratch: DivergenceScratch,
}

impl<'a> HeadAt<'a, Cpu> {
    /// With the map itself.
    pub(super) fn states(&self, weights: Weights<'a>) -> HeadStates<'a> {
        HeadStates { hidden: self.hidden, lm_head: weights.at(self.lm_head), d_model: self.d_model }
    }

    pub(super) fn shape(&self) -> HeadShape {
        HeadShape { n_hidden: self.hidden.len() / self.d_model, d_model: self.d_model, vocab: self.vocab }
    }
}

impl<'a> FrozenHead<'a, Cpu> {
    pub(super) fn states(&self) -> HeadStates<'a> {
        let States { hidden, d_model, lm_head } = self.states;
        HeadStates { hidden, lm_head: &self.weights[lm_head.clone()], d_model: *d_model }
    }
}

/// Gradients of the hidden rows, overwritten, and of the map, added to.
type Grads<'a> = (&'a mut Vec<f32>, &'a mut [f32]);

impl CpuHead {
    /// Log-probabilities of sorted rows; at most so many logits are left for the way back.
    pub(super) fn logps(
        &mut self,
        weights: Weights<'_>,
        context: &BatchContext,
        at: &HeadAt<'_, Cpu>,
        max_kept: usize,
    ) -> Vec<f64> {
        (self.scratch.precision, self.scratch.max_kept) = (weights.precision, max_kept);
        let lm_head = weights.at(at.lm_head);
        let gathered = gather_logps(at.hidden, lm_head, &context.rows, at.shape(), &mut self.scratch);
        let logps = gathered.logps.clone();
        self.gathered = Some(gathered);
        logps
    }

    pub(super) fn logps_backward(
        &mut self,
        weights: Weights<'_>,
        context: &BatchContext,
        at: &HeadAt<'_, Cpu>,
        dlogps: &[f64],
        (dhidden, dlm_head): Grads<'_>,
    ) -> Result<(), ModelError> {
        let gathered = self.gathered.take().ok_or(ModelError::NoForward)?;
        dhidden.resize(at.hidden.len(), 0.0);
        gather_logps_backward(
            at.hidden,
            weights.at(at.lm_head),
            &context.rows,
            &gathered,
            dlogps,
            dhidden,
            dlm_head,
            at.shape(),
            &mut self.scratch,
        );
        Ok(())
    }

    pub(super) fn divergences(
        &mut self,
        weights: Weights<'_>,
        context: &BatchContext,
        at: &HeadAt<'_, Cpu>,
        others: &[FrozenHead<'_>],
    ) -> RowValues {
        let others: Vec<HeadStates<'_>> = others.iter().map(FrozenHead::states).collect();
        let scratch = &mut self.divergence_scratch;
        scratch.precision = weights.precision;
        let gathered = gather_divergences(at.states(weights), &others, &context.rows, scratch);
        let GatheredDivergences { logps, forward_kl, reverse_kl, .. } = gathered.clone();
        self.diverged = Some(gathered);
        RowValues { logps, forward_kl, reverse_kl }
    }

    pub(super) fn divergences_backward(
        &mut self,
        weights: Weights<'_>,
        context: &BatchContext,
        at: &HeadAt<'_, Cpu>,
        others: &[FrozenHead<'_>],
        d: RowGradients<'_>,
        (dhidden, dlm_head): Grads<'_>,
    ) -> Result<(), ModelError> {
        let gathered = self.diverged.take().ok_or(ModelError::NoForward)?;
        let others: Vec<HeadStates<'_>> = others.iter().map(FrozenHead::states).collect();
        dhidden.resize(at.hidden.len(), 0.0);
        gather_divergences_backward(
            at.states(weights),
            &others,
            &context.rows,
            &gathered,
            d,
            dhidden,
            dlm_head,
            &mut self.divergence_scratch,
        );
        Ok(())
    }
}
