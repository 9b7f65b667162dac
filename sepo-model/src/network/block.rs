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

/// What a block computes on its way from input to output, but for what is cheap to compute again.
#[derive(Debug, Default)]
pub(crate) struct BlockActivations {
    pub(crate) attention: AttentionActivations,
    /// What the MLP's norm reads, `[n_outputs, d_model]`: the residual stream between attention and MLP; or the block's
    /// input where both read it, empty where that is the same rows.
    middle: Vec<f32>,
    mlp: MlpActivations,
}

/// Results of passes over memory, without a product: made on the way forward and, where needed, again on the way back.
/// One for all blocks.
#[derive(Debug, Default)]
pub(crate) struct Passing {
    /// Output of the norm that was taken last.
    normed: Vec<f32>,
    stats: NormStats,
    /// Input of the MLP's last map, `[n_outputs, d_ff]`.
    inner: Vec<f32>,
}

/// Buffers of the way back, shared by all blocks.
#[derive(Debug, Default)]
pub(crate) struct BlockScratch {
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
        (a, passing): (&mut BlockActivations, &mut Passing),
        y: &mut Vec<f32>,
    ) {
        let BlockPass { weights, context, extent } = pass;
        self.norm(weights, &self.attention_norm, x, passing);
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
        self.attention.forward(weights, maps, &passing.normed, (context, extent), &mut a.attention, y);
        self.finish(weights, x, extent, (a, passing), y);
    }

    /// Queries, keys (both rotated) and values of `x`, for a caller that attends by itself.
    pub(crate) fn project(
        &self,
        weights: Weights<'_>,
        maps: QkvMaps<'_>,
        x: &[f32],
        rotation: &Rotation,
        (a, passing): (&mut BlockActivations, &mut Passing),
    ) {
        self.norm(weights, &self.attention_norm, x, passing);
        self.attention.project(maps, &passing.normed, None, &mut a.attention);
        self.attention.rotate(weights, [rotation, rotation], &mut a.attention);
    }

    /// The rest of the block behind [`Block::project`], given what attention put out.
    pub(crate) fn complete(
        &self,
        weights: Weights<'_>,
        x: &[f32],
        attended: &[f32],
        buffers: (&mut BlockActivations, &mut Passing),
        y: &mut Vec<f32>,
    ) {
        y.clear();
        y.extend_from_slice(x);
        self.attention.project_output(weights, attended, y);
        self.finish(weights, x, Extent::All, buffers, y);
    }

    fn norm(&self, weights: Weights<'_>, at: &NormAt, x: &[f32], passing: &mut Passing) {
        norm_forward(weights, at, self.eps, x, &mut passing.normed, &mut passing.stats);
    }

    /// Adds the MLP to `y`, which holds `x + attention(norm(x))`.
    fn finish(
        &self,
        weights: Weights<'_>,
        x: &[f32],
        extent: Extent,
        (a, passing): (&mut BlockActivations, &mut Passing),
        y: &mut [f32],
    ) {
        if self.residual == Residual::Sequential {
            a.middle.clear();
            a.middle.extend_from_slice(y);
        }
        let input = if self.reads_input(extent) { x } else { &a.middle };
        self.norm(weights, &self.mlp_norm, input, passing);
        self.mlp.forward(weights, &passing.normed, (&mut a.mlp, &mut passing.inner), y);
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
        (a, passing): (&BlockActivations, &mut Passing),
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
        let middle = if self.reads_input(extent) { x } else { &a.middle };
        self.norm(weights, &self.mlp_norm, middle, passing);
        let mlp = MlpBackward { weights, x: &passing.normed, activations: &a.mlp, dy: &*dx };
        self.mlp.backward(mlp, (&mut s.mlp, &mut passing.inner), &mut s.inner, gradient);
        NormBackward { weights, at: &self.mlp_norm, x: middle, stats: &passing.stats, dy: &s.inner }.run(
            dx,
            Write::Add,
            gradient,
        );
        s.inner.resize(x.len(), 0.0);
        self.norm(weights, &self.attention_norm, x, passing);
        let attention = AttentionBackward {
            weights,
            maps: self.attention.maps(weights, split),
            x: &passing.normed,
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
        NormBackward { weights, at: &self.attention_norm, x, stats: &passing.stats, dy: &s.inner }.run(
            dx,
            Write::Add,
            gradient,
        );
    }
}
