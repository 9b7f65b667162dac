//! One block: attention and MLP, joined to the residual stream one after the other or side by side.

use sepo_kernels::Write;

use super::attention::{AttentionActivations, AttentionBackward, AttentionLayer, AttentionScratch};
use super::mlp::{MlpActivations, MlpBackward, MlpLayer, MlpScratch};
use super::qkv::{QkvMaps, SplitQkv};
use crate::architecture::{BlockAt, NormAt};
use crate::backend::{Backend, Cpu, NormBack, NormStats, Weights};
use crate::batch::{BatchContext, Extent};
use crate::{ModelConfig, ModelError, Residual};

/// What a block computes on its way from input to output, but for what is cheap to compute again.
#[derive(Debug)]
pub(crate) struct BlockActivations<B: Backend = Cpu> {
    pub(crate) attention: AttentionActivations<B>,
    /// What the MLP's norm reads, `[n_outputs, d_model]`: the residual stream between attention and MLP; or the block's
    /// input where both read it, empty where that is the same rows.
    middle: B::Values,
    mlp: MlpActivations<B>,
}

impl<B: Backend> Default for BlockActivations<B> {
    fn default() -> Self {
        Self {
            attention: AttentionActivations::default(),
            middle: B::Values::default(),
            mlp: MlpActivations::default(),
        }
    }
}

/// Results of passes over memory, without a product: made on the way forward and, where needed, again on the way back.
/// One for all blocks.
#[derive(Debug)]
pub(crate) struct Passing<B: Backend = Cpu> {
    /// Output of the norm that was taken last.
    normed: B::Values,
    stats: NormStats<B>,
    /// Input of the MLP's last map, `[n_outputs, d_ff]`.
    inner: B::Values,
}

impl<B: Backend> Default for Passing<B> {
    fn default() -> Self {
        Self { normed: B::Values::default(), stats: NormStats::default(), inner: B::Values::default() }
    }
}

/// Buffers of the way back, shared by all blocks.
#[derive(Debug)]
pub(crate) struct BlockScratch<B: Backend> {
    inner: B::Values,
    /// Gradient of the output, where it is still needed after `dx` has changed.
    dy: B::Values,
    attention: AttentionScratch<B>,
    mlp: MlpScratch<B>,
}

impl<B: Backend> Default for BlockScratch<B> {
    fn default() -> Self {
        Self {
            inner: B::Values::default(),
            dy: B::Values::default(),
            attention: AttentionScratch::default(),
            mlp: MlpScratch::default(),
        }
    }
}

/// Weights, batch and tokens of one pass through a block.
pub(crate) struct BlockPass<'a, B: Backend = Cpu> {
    pub(crate) weights: Weights<'a, B>,
    pub(crate) context: &'a BatchContext,
    pub(crate) batch: &'a B::Batch,
    pub(crate) extent: Extent,
}

impl<B: Backend> Clone for BlockPass<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for BlockPass<'_, B> {}

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
    pub(crate) fn forward<B: Backend>(
        &self,
        pass: BlockPass<'_, B>,
        x: &B::Values,
        split: &mut SplitQkv<B>,
        (a, passing): (&mut BlockActivations<B>, &mut Passing<B>),
        y: &mut B::Values,
    ) -> Result<(), ModelError> {
        let BlockPass { weights, context, batch, extent } = pass;
        let on = weights.on;
        self.norm(weights, &self.attention_norm, x, passing)?;
        let BlockActivations { attention, middle, .. } = &mut *a;
        // Where the stream without attention's share goes, if it is not `x`, and where that with it.
        let (before, after) = match self.residual {
            Residual::Sequential => (&mut *y, middle),
            Residual::Parallel => (middle, &mut *y),
        };
        let before = match extent {
            Extent::All => x,
            Extent::Needed => {
                on.gather_rows(batch, context, x, self.d_model, before)?;
                &*before
            }
        };
        let maps = self.attention.maps(weights, split)?;
        self.attention.forward(pass, maps, &passing.normed, attention, (before, after))?;
        self.finish(weights, x, extent, (a, passing), y)
    }

    /// Queries, keys (both rotated) and values of `x`, for a caller that attends by itself.
    pub(crate) fn project<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        maps: QkvMaps<'_, B>,
        x: &B::Values,
        rotation: &B::Rotation,
        (a, passing): (&mut BlockActivations<B>, &mut Passing<B>),
    ) -> Result<(), ModelError> {
        self.norm(weights, &self.attention_norm, x, passing)?;
        self.attention.project(maps, &passing.normed, Extent::All, &mut a.attention)?;
        self.attention.rotate(weights, [rotation, rotation], &mut a.attention)
    }

    /// The rest of the block behind [`Block::project`], given what attention put out.
    pub(crate) fn complete<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        x: &B::Values,
        attended: &B::Values,
        (a, passing): (&mut BlockActivations<B>, &mut Passing<B>),
        y: &mut B::Values,
    ) -> Result<(), ModelError> {
        let after = match self.residual {
            Residual::Sequential => &mut a.middle,
            Residual::Parallel => &mut *y,
        };
        self.attention.project_output(weights, attended, x, after)?;
        self.finish(weights, x, Extent::All, (a, passing), y)
    }

    fn norm<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        at: &NormAt,
        x: &B::Values,
        passing: &mut Passing<B>,
    ) -> Result<(), ModelError> {
        weights.on.norm(weights, at, self.eps, x, &mut passing.normed, &mut passing.stats)
    }

    /// Adds the MLP to `x + attention(norm(x))`, which is in `middle`, or in `y` where both sublayers read `x`; the sum is `y`.
    fn finish<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        x: &B::Values,
        extent: Extent,
        (a, passing): (&mut BlockActivations<B>, &mut Passing<B>),
        y: &mut B::Values,
    ) -> Result<(), ModelError> {
        let input = if self.reads_input(extent) { x } else { &a.middle };
        self.norm(weights, &self.mlp_norm, input, passing)?;
        let onto = (self.residual == Residual::Sequential).then_some(&a.middle);
        self.mlp.forward(weights, &passing.normed, (&mut a.mlp, &mut passing.inner), (onto, y))
    }

    /// Whether the MLP's norm reads the block's input as it is.
    fn reads_input(&self, extent: Extent) -> bool {
        self.residual == Residual::Parallel && extent == Extent::All
    }

    /// Turns the gradient of the block's output in `dx`, with the rows of the pass's extent, into that of its input,
    /// `[n_tokens, d_model]`, adding those of the weights.
    #[expect(clippy::too_many_arguments, reason = "the pass's inputs, its buffers and its two results")]
    pub(crate) fn backward<B: Backend>(
        &self,
        pass: BlockPass<'_, B>,
        x: &B::Values,
        split: &mut SplitQkv<B>,
        (a, passing): (&BlockActivations<B>, &mut Passing<B>),
        s: &mut BlockScratch<B>,
        dx: &mut B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let BlockPass { weights, context, batch, extent } = pass;
        let on = weights.on;
        // Side by side, both sublayers see the gradient of the output; one after the other, attention sees it after
        // the MLP has added its share.
        if self.residual == Residual::Parallel {
            on.copy(dx, &mut s.dy)?;
        }
        let middle = if self.reads_input(extent) { x } else { &a.middle };
        self.norm(weights, &self.mlp_norm, middle, passing)?;
        let mlp = MlpBackward { weights, x: &passing.normed, activations: &a.mlp, dy: &*dx };
        self.mlp.backward(mlp, (&mut s.mlp, &mut passing.inner), &mut s.inner, gradient)?;
        let norm = NormBack { at: &self.mlp_norm, x: middle, stats: &passing.stats, dy: &s.inner };
        on.norm_backward(weights, norm, dx, Write::Add, gradient)?;
        self.norm(weights, &self.attention_norm, x, passing)?;
        let attention = AttentionBackward {
            pass,
            maps: self.attention.maps(weights, split)?,
            x: &passing.normed,
            activations: &a.attention,
            dy: if self.residual == Residual::Parallel { &s.dy } else { dx },
        };
        self.attention.backward(attention, &mut s.attention, &mut s.inner, gradient)?;
        if extent == Extent::Needed {
            // The residual stream passes the gradient on where there was an output.
            std::mem::swap(dx, &mut s.dy);
            on.zeros(dx, B::len(x))?;
            on.add_rows(batch, context, &s.dy, self.d_model, dx)?;
        }
        let norm = NormBack { at: &self.attention_norm, x, stats: &passing.stats, dy: &s.inner };
        on.norm_backward(weights, norm, dx, Write::Add, gradient)
    }
}
