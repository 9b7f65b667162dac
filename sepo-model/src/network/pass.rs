//! The way through all blocks and back.

use sepo_kernels::{embedding, embedding_backward};

use super::batch::same_length;
use super::extent::{add_rows, gather_rows};
use super::{
    Activations, BatchContext, BlockActivations, BlockPass, Extent, Flops, Network, Pending, SequenceBatch,
    Weights,
};
use crate::architecture::Architecture;
use crate::{ModelError, Parameters};

impl Network {
    /// What a batch asks for, checked.
    pub(super) fn begin(&mut self, batch: &SequenceBatch<'_>) -> Result<BatchContext, ModelError> {
        self.pending = None;
        let context = BatchContext::new(batch, self.config.vocab, &mut self.rotary)?;
        self.flops = Flops::of(&self.config, &self.architecture, &context, self.last);
        Ok(context)
    }

    pub(super) fn weights<'p>(&self, parameters: &'p Parameters) -> Weights<'p> {
        Weights { values: parameters.as_slice(), precision: self.precision }
    }

    /// The last block's output at the needed positions, in the first of the inputs; nothing is kept.
    pub(super) fn run(&mut self, weights: Weights<'_>, tokens: &[u32], context: &BatchContext) {
        // Input and output of a block in turn, and one set of activations for all.
        self.inputs.resize_with(2.max(self.inputs.len()), Vec::new);
        self.kept.resize_with(1.max(self.kept.len()), BlockActivations::default);
        let (mut x, mut y) = (std::mem::take(&mut self.inputs[0]), std::mem::take(&mut self.inputs[1]));
        embed(weights, &self.architecture, tokens, self.config.d_model, &mut x);
        for (i, block) in self.blocks.iter().enumerate() {
            let pass = BlockPass { weights, context, extent: self.extent(i) };
            block.forward(pass, &x, &mut self.split, (&mut self.kept[0], &mut self.passing), &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        if self.last == Extent::All {
            gather_rows(&x, &context.needed, self.config.d_model, &mut y);
            std::mem::swap(&mut x, &mut y);
        }
        (self.inputs[0], self.inputs[1]) = (x, y);
    }

    /// The last block's output at the needed positions, in the last of the inputs, keeping what the way back needs.
    pub(super) fn run_keeping(&mut self, weights: Weights<'_>, tokens: &[u32], context: &BatchContext) {
        let n = self.blocks.len();
        self.inputs.resize_with(n + 1, Vec::new);
        embed(weights, &self.architecture, tokens, self.config.d_model, &mut self.inputs[0]);
        let n_kept = if self.activations == Activations::Kept { n } else { 1 };
        self.kept.resize_with(n_kept, BlockActivations::default);
        for (i, block) in self.blocks.iter().enumerate() {
            let pass = BlockPass { weights, context, extent: self.extent(i) };
            let (before, after) = self.inputs.split_at_mut(i + 1);
            block.forward(
                pass,
                &before[i],
                &mut self.split,
                (&mut self.kept[i.min(n_kept - 1)], &mut self.passing),
                &mut after[0],
            );
        }
        if self.last == Extent::All {
            gather_rows(&self.inputs[n], &context.needed, self.config.d_model, &mut self.gradient);
            std::mem::swap(&mut self.inputs[n], &mut self.gradient);
        }
    }

    pub(super) fn take_pending(
        &mut self,
        row_gradients: &[&[f64]],
        n_gradient: usize,
        weights: Weights<'_>,
    ) -> Result<Pending, ModelError> {
        let pending = self.pending.as_ref().ok_or(ModelError::NoForward)?;
        for row_gradients in row_gradients {
            same_length("row gradients", row_gradients.len(), pending.context.n_rows())?;
        }
        same_length("weight gradients", n_gradient, weights.values.len())?;
        self.pending.take().ok_or(ModelError::NoForward)
    }

    /// The way back from the gradient `dx` of the last block's output at the needed positions.
    pub(super) fn run_back(
        &mut self,
        weights: Weights<'_>,
        context: &BatchContext,
        tokens: &[u32],
        mut dx: Vec<f32>,
        gradient: &mut [f32],
    ) {
        if self.last == Extent::All {
            let needed = std::mem::take(&mut dx);
            dx.resize(tokens.len() * self.config.d_model, 0.0);
            add_rows(&needed, &context.needed, self.config.d_model, &mut dx);
        }
        for (i, block) in self.blocks.iter().enumerate().rev() {
            let pass = BlockPass { weights, context, extent: self.extent(i) };
            let x = &self.inputs[i];
            let kept = match self.activations {
                Activations::Kept => &self.kept[i],
                Activations::Recomputed => {
                    let buffers = (&mut self.kept[0], &mut self.passing);
                    block.forward(pass, x, &mut self.split, buffers, &mut self.output);
                    &self.kept[0]
                }
            };
            let buffers = (kept, &mut self.passing);
            block.backward(pass, x, &mut self.split, buffers, &mut self.scratch, &mut dx, gradient);
        }
        let at = self.architecture.embedding.clone();
        embedding_backward(tokens, &dx, self.config.d_model, &mut gradient[at]);
        self.gradient = dx;
    }
}

/// The embeddings of `tokens`, `[n_tokens, d_model]`, in `x`.
fn embed(
    weights: Weights<'_>,
    architecture: &Architecture,
    tokens: &[u32],
    d_model: usize,
    x: &mut Vec<f32>,
) {
    x.resize(tokens.len() * d_model, 0.0);
    embedding(weights.at(&architecture.embedding), tokens, d_model, x);
}
