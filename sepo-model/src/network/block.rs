//! One block: attention and MLP, joined to the residual stream one after the other or side by side.

use sepo_kernels::Write;

use super::attention::{AttentionActivations, AttentionBackward, AttentionLayer, AttentionScratch};
use super::extent::{add_rows, gather_rows};
use super::mlp::{MlpActivations, MlpBackward, MlpLayer, MlpScratch};
use super::norm::{NormBackward, NormStats, norm_forward};
use super::qkv::{QkvMaps, SplitQkv};
use super::{BatchContext, Extent, Rotation, Weights};
use crate::architecture::{BlockAt, NormAt};
use crate::{ModelConfig, Residual};

/// What a block computes on its way from input to output.
#[derive(Debug, Default)]
pub(crate) struct BlockActivations {
    attention_norm: NormStats,
    /// `[n_tokens, d_model]`.
    attention_input: Vec<f32>,
    pub(crate) attention: AttentionActivations,
    /// What the MLP's norm reads, `[n_outputs, d_model]`: the residual stream between attention and MLP; or the block's
    /// input where both read it, empty where that is the same rows.
    middle: Vec<f32>,
    mlp_norm: NormStats,
    mlp_input: Vec<f32>,
    mlp: MlpActivations,
}

/// Buffers of the way back, shared by all blocks.
#[derive(Debug, Default)]
pub(crate) struct BlockScratch {
    /// Output of a block that is computed again.
    pub(crate) output: Vec<f32>,
    inner: Vec<f32>,
    /// Gradient of the output, where it is still needed after `dx` has changed.
    dy: Vec<f32>,
    attention: AttentionScratch,
    mlp: MlpScratch,
}

/// Weights, batch and tokens of one pass through a block.
#[derive(Clone, Copy)]
pub(crate) struct BlockPass<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) context: &'a BatchContext,
    pub(crate) extent: Extent,
}

/// One block of a model.
#[derive(Debug)]
pub(crate) struct Block {
    attention_norm: NormAt,
    attention: AttentionLayer,
    mlp_norm: NormAt,
    mlp: MlpLayer,
    residual: Residual,
    d_model: usize,
    eps: f32,
}

impl Block {
    pub(crate) fn new(config: &ModelConfig, at: &BlockAt, layer: usize) -> Self {
        Self {
            attention_norm: at.attention_norm.clone(),
            attention: AttentionLayer::new(config, at, layer),
            mlp_norm: at.mlp_norm.clone(),
            mlp: MlpLayer::new(config, &at.mlp),
            residual: config.residual,
            d_model: config.d_model,
            eps: config.norm_eps,
        }
    }

    pub(crate) fn attention(&self) -> &AttentionLayer {
        &self.attention
    }

    /// `y = block(x)`: `x` is `[n_tokens, d_model]`, `y` has the rows of the pass's extent.
    pub(crate) fn forward(
        &self,
        pass: BlockPass<'_>,
        x: &[f32],
        split: &mut SplitQkv,
        a: &mut BlockActivations,
        y: &mut Vec<f32>,
    ) {
        let BlockPass { weights, context, extent } = pass;
        self.enter_attention(weights, x, a);
        match extent.positions(context) {
            None => {
                y.clear();
                y.extend_from_slice(x);
            }
            Some(needed) => gather_rows(x, needed, self.d_model, y),
        }
        if self.residual == Residual::Parallel && extent == Extent::Needed {
            a.middle.clone_from(y);
        }
        let maps = self.attention.maps(weights, split);
        self.attention.forward(weights, maps, &a.attention_input, (context, extent), &mut a.attention, y);
        self.finish(weights, x, extent, a, y);
    }

    /// Queries, keys (both rotated) and values of `x`, for a caller that attends by itself.
    pub(crate) fn project(
        &self,
        weights: Weights<'_>,
        maps: QkvMaps<'_>,
        x: &[f32],
        rotation: &Rotation,
        a: &mut BlockActivations,
    ) {
        self.enter_attention(weights, x, a);
        self.attention.project(maps, &a.attention_input, None, &mut a.attention);
        self.attention.rotate(weights, [rotation, rotation], &mut a.attention);
    }

    /// The rest of the block behind [`Block::project`], given what attention put out.
    pub(crate) fn complete(
        &self,
        weights: Weights<'_>,
        x: &[f32],
        attended: &[f32],
        a: &mut BlockActivations,
        y: &mut Vec<f32>,
    ) {
        y.clear();
        y.extend_from_slice(x);
        self.attention.project_output(weights, attended, y);
        self.finish(weights, x, Extent::All, a, y);
    }

    fn enter_attention(&self, weights: Weights<'_>, x: &[f32], a: &mut BlockActivations) {
        norm_forward(
            weights,
            &self.attention_norm,
            self.eps,
            x,
            &mut a.attention_input,
            &mut a.attention_norm,
        );
    }

    /// Adds the MLP to `y`, which holds `x + attention(norm(x))`.
    fn finish(
        &self,
        weights: Weights<'_>,
        x: &[f32],
        extent: Extent,
        a: &mut BlockActivations,
        y: &mut [f32],
    ) {
        if self.residual == Residual::Sequential {
            a.middle.clear();
            a.middle.extend_from_slice(y);
        }
        let input = if self.reads_input(extent) { x } else { &a.middle };
        norm_forward(weights, &self.mlp_norm, self.eps, input, &mut a.mlp_input, &mut a.mlp_norm);
        self.mlp.forward(weights, &a.mlp_input, &mut a.mlp, y);
    }

    /// Whether the MLP's norm reads the block's input as it is.
    fn reads_input(&self, extent: Extent) -> bool {
        self.residual == Residual::Parallel && extent == Extent::All
    }

    /// Turns the gradient of the block's output in `dx`, with the rows of the pass's extent, into that of its input,
    /// `[n_tokens, d_model]`, adding those of the weights.
    #[expect(clippy::too_many_arguments, reason = "the pass's inputs, its buffers and its two results")]
    pub(crate) fn backward(
        &self,
        pass: BlockPass<'_>,
        x: &[f32],
        split: &mut SplitQkv,
        a: &BlockActivations,
        s: &mut BlockScratch,
        dx: &mut Vec<f32>,
        gradient: &mut [f32],
    ) {
        let BlockPass { weights, context, extent } = pass;
        // Side by side, both sublayers see the gradient of the output; one after the other, attention sees it after
        // the MLP has added its share.
        if self.residual == Residual::Parallel {
            s.dy.clone_from(dx);
        }
        s.inner.resize(dx.len(), 0.0);
        let mlp = MlpBackward { weights, x: &a.mlp_input, activations: &a.mlp, dy: &*dx };
        self.mlp.backward(mlp, &mut s.mlp, &mut s.inner, gradient);
        let middle = if self.reads_input(extent) { x } else { &a.middle };
        NormBackward { weights, at: &self.mlp_norm, x: middle, stats: &a.mlp_norm, dy: &s.inner }.run(
            dx,
            Write::Add,
            gradient,
        );
        s.inner.resize(x.len(), 0.0);
        let attention = AttentionBackward {
            weights,
            maps: self.attention.maps(weights, split),
            x: &a.attention_input,
            context,
            extent,
            activations: &a.attention,
            dy: if self.residual == Residual::Parallel { &s.dy } else { dx },
        };
        self.attention.backward(attention, &mut s.attention, &mut s.inner, gradient);
        if let Some(needed) = extent.positions(context) {
            // The residual stream passes the gradient on where there was an output.
            std::mem::swap(dx, &mut s.dy);
            dx.clear();
            dx.resize(x.len(), 0.0);
            add_rows(&s.dy, needed, self.d_model, dx);
        }
        NormBackward { weights, at: &self.attention_norm, x, stats: &a.attention_norm, dy: &s.inner }.run(
            dx,
            Write::Add,
            gradient,
        );
    }
}
