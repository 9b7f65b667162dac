//! One block: attention and MLP, joined to the residual stream one after the other or side by side.

use sepo_kernels::Write;

use super::attention::{AttentionActivations, AttentionBackward, AttentionLayer, AttentionScratch};
use super::mlp::{MlpActivations, MlpBackward, MlpLayer, MlpScratch};
use super::norm::{NormBackward, NormStats, norm_forward};
use super::{BatchContext, Rotation};
use crate::architecture::{BlockAt, NormAt};
use crate::{ModelConfig, Residual};

/// What a block computes on its way from input to output, `[n_tokens, d_model]` unless said.
#[derive(Debug, Default)]
pub(crate) struct BlockActivations {
    attention_norm: NormStats,
    attention_input: Vec<f32>,
    pub(crate) attention: AttentionActivations,
    /// The residual stream between attention and MLP; empty where both read the same input.
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
    attention: AttentionScratch,
    mlp: MlpScratch,
}

/// One block of a model.
#[derive(Debug)]
pub(crate) struct Block {
    attention_norm: NormAt,
    attention: AttentionLayer,
    mlp_norm: NormAt,
    mlp: MlpLayer,
    residual: Residual,
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
            eps: config.norm_eps,
        }
    }

    pub(crate) fn attention(&self) -> &AttentionLayer {
        &self.attention
    }

    /// `y = block(x)`, both `[n_tokens, d_model]`.
    pub(crate) fn forward(
        &self,
        weights: &[f32],
        x: &[f32],
        context: &BatchContext,
        a: &mut BlockActivations,
        y: &mut Vec<f32>,
    ) {
        self.enter_attention(weights, x, a);
        y.clear();
        y.extend_from_slice(x);
        self.attention.forward(weights, &a.attention_input, context, &mut a.attention, y);
        self.finish(weights, x, a, y);
    }

    /// Queries, keys (both rotated) and values of `x`, for a caller that attends by itself.
    pub(crate) fn project(&self, weights: &[f32], x: &[f32], rotation: &Rotation, a: &mut BlockActivations) {
        self.enter_attention(weights, x, a);
        self.attention.project(weights, &a.attention_input, &mut a.attention);
        self.attention.rotate(weights, rotation, &mut a.attention);
    }

    /// The rest of the block behind [`Block::project`], given what attention put out.
    pub(crate) fn complete(
        &self,
        weights: &[f32],
        x: &[f32],
        attended: &[f32],
        a: &mut BlockActivations,
        y: &mut Vec<f32>,
    ) {
        y.clear();
        y.extend_from_slice(x);
        self.attention.project_output(weights, attended, y);
        self.finish(weights, x, a, y);
    }

    fn enter_attention(&self, weights: &[f32], x: &[f32], a: &mut BlockActivations) {
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
    fn finish(&self, weights: &[f32], x: &[f32], a: &mut BlockActivations, y: &mut [f32]) {
        let input = match self.residual {
            Residual::Parallel => x,
            Residual::Sequential => {
                a.middle.clear();
                a.middle.extend_from_slice(y);
                &a.middle
            }
        };
        norm_forward(weights, &self.mlp_norm, self.eps, input, &mut a.mlp_input, &mut a.mlp_norm);
        self.mlp.forward(weights, &a.mlp_input, &mut a.mlp, y);
    }

    /// Turns the gradient of the block's output in `dx` into that of its input, adding those of the weights.
    #[expect(clippy::too_many_arguments, reason = "the pass's inputs, its buffers and its two results")]
    pub(crate) fn backward(
        &self,
        weights: &[f32],
        x: &[f32],
        context: &BatchContext,
        a: &BlockActivations,
        s: &mut BlockScratch,
        dx: &mut Vec<f32>,
        gradient: &mut [f32],
    ) {
        s.inner.resize(x.len(), 0.0);
        // Side by side, both sublayers see the gradient of the output; one after the other, attention sees it after
        // the MLP has added its share.
        let parallel = (self.residual == Residual::Parallel).then(|| dx.clone());
        let mlp = MlpBackward { weights, x: &a.mlp_input, activations: &a.mlp, dy: &*dx };
        self.mlp.backward(mlp, &mut s.mlp, &mut s.inner, gradient);
        let middle = if parallel.is_some() { x } else { &a.middle };
        NormBackward { weights, at: &self.mlp_norm, x: middle, stats: &a.mlp_norm, dy: &s.inner }.run(
            dx,
            Write::Add,
            gradient,
        );
        let dy = parallel.as_deref().unwrap_or(dx);
        let attention =
            AttentionBackward { weights, x: &a.attention_input, context, activations: &a.attention, dy };
        self.attention.backward(attention, &mut s.attention, &mut s.inner, gradient);
        NormBackward { weights, at: &self.attention_norm, x, stats: &a.attention_norm, dy: &s.inner }.run(
            dx,
            Write::Add,
            gradient,
        );
    }
}
