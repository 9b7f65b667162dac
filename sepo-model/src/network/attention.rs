//! The attention sublayer: projections, per-head norms, rotary embedding, attention, output projection.

use std::borrow::BorrowMut;

use sepo_kernels::{AttentionShape, Write};

use super::BlockPass;
use super::qkv::{QkvMaps, SplitQkv, add_split_gradient};
use crate::architecture::{BlockAt, LinearAt, NormAt, QkvAt};
use crate::backend::{Attended, Backend, Cpu, LinearBack, NormBack, NormStats, Projected, Weights};
use crate::batch::Extent;
use crate::{ModelConfig, ModelError};

/// What the sublayer computes on its way: `[n_tokens, …]` for keys and values, `[n_outputs, …]` for the rest, which is
/// the same but in a block that makes an output for some tokens only.
#[derive(Debug)]
pub(crate) struct AttentionActivations<B: Backend = Cpu> {
    /// Input of the query map, where that has fewer rows than the input.
    query_input: B::Values,
    /// Before the per-head norms, where there are any.
    q_raw: B::Values,
    k_raw: B::Values,
    q_stats: NormStats<B>,
    k_stats: NormStats<B>,
    /// Rotated.
    pub(crate) q: B::Values,
    pub(crate) k: B::Values,
    pub(crate) v: B::Values,
    out: B::Values,
    /// `[n_outputs, n_heads]`.
    lse: B::Singles,
}

impl<B: Backend> Default for AttentionActivations<B> {
    fn default() -> Self {
        Self {
            query_input: B::Values::default(),
            q_raw: B::Values::default(),
            k_raw: B::Values::default(),
            q_stats: NormStats::default(),
            k_stats: NormStats::default(),
            q: B::Values::default(),
            k: B::Values::default(),
            v: B::Values::default(),
            out: B::Values::default(),
            lse: B::Singles::default(),
        }
    }
}

impl<B: Backend> AttentionActivations<B> {
    fn projected(&self) -> Projected<'_, B> {
        Projected { q: &self.q, k: &self.k, v: &self.v }
    }
}

/// Gradients of [`AttentionActivations`].
#[derive(Debug)]
pub(crate) struct AttentionScratch<B: Backend> {
    q: B::Values,
    k: B::Values,
    v: B::Values,
    q_raw: B::Values,
    k_raw: B::Values,
    out: B::Values,
    query_input: B::Values,
    /// Gradient of the maps of a [`SplitQkv`].
    maps: B::Singles,
}

impl<B: Backend> Default for AttentionScratch<B> {
    fn default() -> Self {
        Self {
            q: B::Values::default(),
            k: B::Values::default(),
            v: B::Values::default(),
            q_raw: B::Values::default(),
            k_raw: B::Values::default(),
            out: B::Values::default(),
            query_input: B::Values::default(),
            maps: B::Singles::default(),
        }
    }
}

/// The attention sublayer of one block.
#[derive(Debug)]
pub(crate) struct AttentionLayer {
    qkv: QkvAt,
    qk_norm: Option<(NormAt, NormAt)>,
    output: LinearAt,
    shape: AttentionShape,
    d_model: usize,
    eps: f32,
}

impl AttentionLayer {
    pub(crate) fn new(config: &ModelConfig, at: &BlockAt, layer: usize) -> Self {
        Self {
            qkv: at.qkv.clone(),
            qk_norm: at.qk_norm.clone(),
            output: at.attention_output.clone(),
            shape: AttentionShape {
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
                head_dim: config.head_dim,
                window: config.windows[layer],
            },
            d_model: config.d_model,
            eps: config.norm_eps,
        }
    }

    pub(crate) fn shape(&self) -> AttentionShape {
        self.shape
    }

    /// The projections into queries, keys and values.
    pub(crate) fn maps<'a, B: Backend>(
        &'a self,
        weights: Weights<'a, B>,
        split: &'a mut SplitQkv<B>,
    ) -> Result<QkvMaps<'a, B>, ModelError> {
        split.maps(weights, &self.qkv, self.shape.n_heads)
    }

    /// [`AttentionLayer::maps`] that were made before.
    pub(crate) fn loaded_maps<'a, B: Backend>(
        &'a self,
        weights: Weights<'a, B>,
        split: &'a SplitQkv<B>,
    ) -> QkvMaps<'a, B> {
        split.loaded(weights, &self.qkv)
    }

    /// `y = onto + attention(x)`, for the tokens of the pass's extent.
    pub(crate) fn forward<B: Backend>(
        &self,
        pass: BlockPass<'_, B>,
        maps: QkvMaps<'_, B>,
        x: &B::Values,
        a: &mut AttentionActivations<B>,
        (onto, y): (&B::Values, &mut B::Values),
    ) -> Result<(), ModelError> {
        let BlockPass { weights, context, batch, extent } = pass;
        let on = weights.on;
        if extent == Extent::Needed {
            on.gather_rows(batch, context, x, self.d_model, &mut a.query_input)?;
        }
        self.project(maps, x, extent, a)?;
        self.rotate(weights, [B::rotation(batch, extent), B::rotation(batch, Extent::All)], a)?;
        let (mut out, mut lse) = (std::mem::take(&mut a.out), std::mem::take(&mut a.lse));
        on.attention(batch, (context, extent), a.projected(), self.shape, &mut out, &mut lse)?;
        (a.out, a.lse) = (out, lse);
        self.project_output(weights, &a.out, onto, y)
    }

    /// `y = onto + out Wᵀ (+ b)`.
    pub(crate) fn project_output<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        out: &B::Values,
        onto: &B::Values,
        y: &mut B::Values,
    ) -> Result<(), ModelError> {
        weights.on.linear_onto(weights, &self.output, self.d_attended(), out, onto, y)
    }

    fn d_attended(&self) -> usize {
        self.shape.n_heads * self.shape.head_dim
    }

    /// Queries, keys and values from the normalised residual stream; queries of what was gathered, if some tokens only ask.
    pub(crate) fn project<B: Backend>(
        &self,
        maps: QkvMaps<'_, B>,
        x: &B::Values,
        extent: Extent,
        a: &mut AttentionActivations<B>,
    ) -> Result<(), ModelError> {
        let (on, weights, d) = (maps.weights.on, maps.weights, self.d_model);
        let asking = if extent == Extent::All { x } else { &a.query_input };
        on.linear(weights, maps.q, d, asking, &mut a.q, Write::Overwrite)?;
        on.linear(weights, maps.k, d, x, &mut a.k, Write::Overwrite)?;
        on.linear(weights, maps.v, d, x, &mut a.v, Write::Overwrite)
    }

    /// Per-head norms and the rotary embedding; where queries and where keys stand.
    pub(crate) fn rotate<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        at: [&B::Rotation; 2],
        a: &mut AttentionActivations<B>,
    ) -> Result<(), ModelError> {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let on = weights.on;
        if let Some((q_norm, k_norm)) = &self.qk_norm {
            std::mem::swap(&mut a.q, &mut a.q_raw);
            std::mem::swap(&mut a.k, &mut a.k_raw);
            on.norm(weights, q_norm, self.eps, &a.q_raw, &mut a.q, &mut a.q_stats)?;
            on.norm(weights, k_norm, self.eps, &a.k_raw, &mut a.k, &mut a.k_stats)?;
        }
        on.rotary(&mut a.q, at[0], n_heads, head_dim)?;
        on.rotary(&mut a.k, at[1], n_kv_heads, head_dim)
    }

    /// `dx = dy · ∂attention/∂x`, gradients of the weights added.
    pub(crate) fn backward<B: Backend>(
        &self,
        back: AttentionBackward<'_, B>,
        s: &mut AttentionScratch<B>,
        dx: &mut B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let AttentionBackward { pass, maps, x, activations: a, dy } = back;
        let BlockPass { weights, context, batch, extent } = pass;
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let on = weights.on;
        let output = LinearBack { at: &self.output, d_in: self.d_attended(), x: &a.out, dy };
        on.linear_backward(weights, output, &mut s.out, Write::Overwrite, gradient)?;
        let attended = Attended { out: &a.out, lse: &a.lse, dout: &s.out };
        let grads = [&mut s.q, &mut s.k, &mut s.v];
        on.attention_backward(batch, (context, extent), a.projected(), attended, self.shape, grads)?;
        on.rotary_backward(&mut s.q, B::rotation(batch, extent), n_heads, head_dim)?;
        on.rotary_backward(&mut s.k, B::rotation(batch, Extent::All), n_kv_heads, head_dim)?;
        if let Some((q_norm, k_norm)) = &self.qk_norm {
            std::mem::swap(&mut s.q, &mut s.q_raw);
            std::mem::swap(&mut s.k, &mut s.k_raw);
            let q = NormBack { at: q_norm, x: &a.q_raw, stats: &a.q_stats, dy: &s.q_raw };
            on.norm_backward(weights, q, &mut s.q, Write::Overwrite, gradient)?;
            let k = NormBack { at: k_norm, x: &a.k_raw, stats: &a.k_stats, dy: &s.k_raw };
            on.norm_backward(weights, k, &mut s.k, Write::Overwrite, gradient)?;
        }
        let input = ProjectionInput { x, query_input: &a.query_input };
        match &self.qkv {
            QkvAt::Separate { .. } => self.project_backward(pass, maps, input, s, dx, gradient),
            QkvAt::FusedByHead(map) => {
                let mut split = std::mem::take(&mut s.maps);
                on.zero_singles(&mut split, B::n_weights(maps.weights.values))?;
                self.project_backward(pass, maps, input, s, dx, split.borrow_mut())?;
                add_split_gradient(on, &split, map, n_heads, gradient)?;
                s.maps = split;
                Ok(())
            }
        }
    }

    fn project_backward<B: Backend>(
        &self,
        pass: BlockPass<'_, B>,
        maps: QkvMaps<'_, B>,
        input: ProjectionInput<'_, B>,
        s: &mut AttentionScratch<B>,
        dx: &mut B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let (on, weights, d_in, x) = (maps.weights.on, maps.weights, self.d_model, input.x);
        let k = LinearBack { at: maps.k, d_in, x, dy: &s.k };
        on.linear_backward(weights, k, dx, Write::Overwrite, gradient)?;
        let v = LinearBack { at: maps.v, d_in, x, dy: &s.v };
        on.linear_backward(weights, v, dx, Write::Add, gradient)?;
        if pass.extent == Extent::All {
            let q = LinearBack { at: maps.q, d_in, x, dy: &s.q };
            return on.linear_backward(weights, q, dx, Write::Add, gradient);
        }
        let q = LinearBack { at: maps.q, d_in, x: input.query_input, dy: &s.q };
        on.linear_backward(weights, q, &mut s.query_input, Write::Overwrite, gradient)?;
        on.add_rows(pass.batch, pass.context, &s.query_input, d_in, dx)
    }
}

/// What the three projections read.
struct ProjectionInput<'a, B: Backend> {
    x: &'a B::Values,
    query_input: &'a B::Values,
}

/// What the way back through an attention sublayer starts from.
pub(crate) struct AttentionBackward<'a, B: Backend> {
    pub(crate) pass: BlockPass<'a, B>,
    pub(crate) maps: QkvMaps<'a, B>,
    /// `[n_tokens, d_model]`.
    pub(crate) x: &'a B::Values,
    pub(crate) activations: &'a AttentionActivations<B>,
    /// `[n_outputs, d_model]`.
    pub(crate) dy: &'a B::Values,
}
