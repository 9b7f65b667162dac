//! The way through all blocks and back.

use super::{Activations, BlockActivations, BlockPass, Flops, Network, Pending};
use crate::ModelError;
use crate::backend::{Backend, Weights};
use crate::batch::{BatchContext, Extent, SequenceBatch, same_length};

impl<B: Backend> Network<B> {
    /// What a batch asks for, checked, and what the backend has made of it.
    pub(super) fn begin(
        &mut self,
        batch: &SequenceBatch<'_>,
    ) -> Result<(BatchContext, B::Batch), ModelError> {
        self.pending = None;
        let context = BatchContext::new(batch, self.config.vocab)?;
        self.flops = Flops::of(&self.config, &self.architecture, &context, self.last);
        let (windows, vocab) = (&self.config.windows, self.config.vocab);
        let extents = [Extent::All, self.last];
        let placed = self.on.place(&mut self.rotary, batch.tokens, &context, windows, vocab, &extents)?;
        Ok((context, placed))
    }

    /// The last block's output at the needed positions, in the first of the inputs; nothing is kept.
    pub(super) fn run(
        &mut self,
        weights: Weights<'_, B>,
        tokens: &[u32],
        (context, batch): (&BatchContext, &B::Batch),
    ) -> Result<(), ModelError> {
        // Input and output of a block in turn, and one set of activations for all.
        self.inputs.resize_with(2.max(self.inputs.len()), B::Values::default);
        self.kept.resize_with(1.max(self.kept.len()), BlockActivations::default);
        let (mut x, mut y) = (std::mem::take(&mut self.inputs[0]), std::mem::take(&mut self.inputs[1]));
        let (at, d_model) = (&self.architecture.embedding, self.config.d_model);
        weights.on.embedding(weights, at, batch, tokens, d_model, &mut x)?;
        for (i, block) in self.blocks.iter().enumerate() {
            let pass = BlockPass { weights, context, batch, extent: self.extent(i) };
            block.forward(pass, &x, &mut self.split, (&mut self.kept[0], &mut self.passing), &mut y)?;
            std::mem::swap(&mut x, &mut y);
        }
        if self.last == Extent::All {
            weights.on.gather_rows(batch, context, &x, d_model, &mut y)?;
            std::mem::swap(&mut x, &mut y);
        }
        (self.inputs[0], self.inputs[1]) = (x, y);
        Ok(())
    }

    /// The last block's output at the needed positions, in the last of the inputs, keeping what the way back needs.
    pub(super) fn run_keeping(
        &mut self,
        weights: Weights<'_, B>,
        tokens: &[u32],
        (context, batch): (&BatchContext, &B::Batch),
    ) -> Result<(), ModelError> {
        let n = self.blocks.len();
        self.inputs.resize_with(n + 1, B::Values::default);
        let (at, d_model) = (&self.architecture.embedding, self.config.d_model);
        weights.on.embedding(weights, at, batch, tokens, d_model, &mut self.inputs[0])?;
        let n_kept = if self.activations == Activations::Kept { n } else { 1 };
        self.kept.resize_with(n_kept, BlockActivations::default);
        for (i, block) in self.blocks.iter().enumerate() {
            let pass = BlockPass { weights, context, batch, extent: self.extent(i) };
            let (before, after) = self.inputs.split_at_mut(i + 1);
            let buffers = (&mut self.kept[i.min(n_kept - 1)], &mut self.passing);
            block.forward(pass, &before[i], &mut self.split, buffers, &mut after[0])?;
        }
        if self.last == Extent::All {
            weights.on.gather_rows(batch, context, &self.inputs[n], d_model, &mut self.gradient)?;
            std::mem::swap(&mut self.inputs[n], &mut self.gradient);
        }
        Ok(())
    }

    pub(super) fn take_pending(
        &mut self,
        row_gradients: &[&[f64]],
        n_gradient: usize,
        weights: Weights<'_, B>,
    ) -> Result<Pending<B>, ModelError> {
        let pending = self.pending.as_ref().ok_or(ModelError::NoForward)?;
        for row_gradients in row_gradients {
            same_length("row gradients", row_gradients.len(), pending.context.n_rows())?;
        }
        same_length("weight gradients", n_gradient, B::n_weights(weights.values))?;
        self.pending.take().ok_or(ModelError::NoForward)
    }

    /// The way back from the gradient `dx` of the last block's output at the needed positions.
    pub(super) fn run_back(
        &mut self,
        weights: Weights<'_, B>,
        pending: &Pending<B>,
        mut dx: B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let Pending { context, batch, tokens } = pending;
        let (on, d_model) = (weights.on, self.config.d_model);
        if self.last == Extent::All {
            let needed = std::mem::take(&mut dx);
            on.zeros(&mut dx, tokens.len() * d_model)?;
            on.add_rows(batch, context, &needed, d_model, &mut dx)?;
        }
        for (i, block) in self.blocks.iter().enumerate().rev() {
            let pass = BlockPass { weights, context, batch, extent: self.extent(i) };
            let x = &self.inputs[i];
            let kept = match self.activations {
                Activations::Kept => &self.kept[i],
                Activations::Recomputed => {
                    let buffers = (&mut self.kept[0], &mut self.passing);
                    block.forward(pass, x, &mut self.split, buffers, &mut self.output)?;
                    &self.kept[0]
                }
            };
            let buffers = (kept, &mut self.passing);
            block.backward(pass, x, &mut self.split, buffers, &mut self.scratch, &mut dx, gradient)?;
        }
        on.embedding_backward(&self.architecture.embedding, batch, tokens, d_model, &dx, gradient)?;
        self.gradient = dx;
        Ok(())
    }
}
