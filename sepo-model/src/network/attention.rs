//! The attention sublayer: projections, per-head norms, rotary embedding, attention, output projection.

use sepo_kernels::{
    AttentionForward, AttentionGrads, AttentionShape, Write, attention, attention_backward, rotary,
    rotary_backward,
};

use super::extent::{add_rows, gather_rows};
use super::linear::{LinearBackward, linear_forward};
use super::norm::{NormBackward, NormStats, norm_forward};
use super::qkv::{QkvMaps, SplitQkv, add_split_gradient};
use super::{BatchContext, Extent, Rotation, Weights};
use crate::ModelConfig;
use crate::architecture::{BlockAt, LinearAt, NormAt, QkvAt};

/// What the sublayer computes on its way: `[n_tokens, …]` for keys and values, `[n_outputs, …]` for the rest, which is
/// the same but in a block that makes an output for some tokens only.
#[derive(Debug, Default)]
pub(crate) struct AttentionActivations {
    /// Input of the query map, where that has fewer rows than the input.
    query_input: Vec<f32>,
    /// Before the per-head norms, where there are any.
    q_raw: Vec<f32>,
    k_raw: Vec<f32>,
    q_stats: NormStats,
    k_stats: NormStats,
    /// Rotated.
    pub(crate) q: Vec<f32>,
    pub(crate) k: Vec<f32>,
    pub(crate) v: Vec<f32>,
    out: Vec<f32>,
    /// `[n_outputs, n_heads]`.
    lse: Vec<f32>,
}

/// Gradients of [`AttentionActivations`].
#[derive(Debug, Default)]
pub(crate) struct AttentionScratch {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    q_raw: Vec<f32>,
    k_raw: Vec<f32>,
    out: Vec<f32>,
    query_input: Vec<f32>,
    /// Gradient of the maps of a [`SplitQkv`].
    maps: Vec<f32>,
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
    pub(crate) fn maps<'a>(&'a self, weights: Weights<'a>, split: &'a mut SplitQkv) -> QkvMaps<'a> {
        split.maps(weights, &self.qkv, self.shape.n_heads)
    }

    /// [`AttentionLayer::maps`] that were made before.
    pub(crate) fn loaded_maps<'a>(&'a self, weights: Weights<'a>, split: &'a SplitQkv) -> QkvMaps<'a> {
        split.loaded(weights, &self.qkv)
    }

    /// `y += attention(x)`, for the tokens of `extent`.
    pub(crate) fn forward(
        &self,
        weights: Weights<'_>,
        maps: QkvMaps<'_>,
        x: &[f32],
        (context, extent): (&BatchContext, Extent),
        a: &mut AttentionActivations,
        y: &mut [f32],
    ) {
        let queries = extent.positions(context);
        self.project(maps, x, queries, a);
        self.rotate(weights, [extent.rotation(context), &context.rotation], a);
        a.out.resize(a.q.len(), 0.0);
        a.lse.resize(extent.n_outputs(context) * self.shape.n_heads, 0.0);
        attention(&a.q, &a.k, &a.v, extent.attention_layout(context), self.shape, &mut a.out, &mut a.lse);
        self.project_output(weights, &a.out, y);
    }

    /// `y += out Wᵀ (+ b)`.
    pub(crate) fn project_output(&self, weights: Weights<'_>, out: &[f32], y: &mut [f32]) {
        linear_forward(weights, &self.output, self.shape.n_heads * self.shape.head_dim, out, y, Write::Add);
    }

    /// Queries, keys and values from the normalised residual stream; queries of some tokens only, if said so.
    pub(crate) fn project(
        &self,
        maps: QkvMaps<'_>,
        x: &[f32],
        queries: Option<&[u32]>,
        a: &mut AttentionActivations,
    ) {
        let d = self.d_model;
        let n = x.len() / d;
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let x_q = match queries {
            None => x,
            Some(at) => {
                gather_rows(x, at, d, &mut a.query_input);
                &a.query_input
            }
        };
        a.q.resize(x_q.len() / d * n_heads * head_dim, 0.0);
        a.k.resize(n * n_kv_heads * head_dim, 0.0);
        a.v.resize(n * n_kv_heads * head_dim, 0.0);
        linear_forward(maps.weights, maps.q, d, x_q, &mut a.q, Write::Overwrite);
        linear_forward(maps.weights, maps.k, d, x, &mut a.k, Write::Overwrite);
        linear_forward(maps.weights, maps.v, d, x, &mut a.v, Write::Overwrite);
    }

    /// Per-head norms and the rotary embedding; where queries and where keys stand.
    pub(crate) fn rotate(&self, weights: Weights<'_>, at: [&Rotation; 2], a: &mut AttentionActivations) {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        if let Some((q_norm, k_norm)) = &self.qk_norm {
            std::mem::swap(&mut a.q, &mut a.q_raw);
            std::mem::swap(&mut a.k, &mut a.k_raw);
            norm_forward(weights, q_norm, self.eps, &a.q_raw, &mut a.q, &mut a.q_stats);
            norm_forward(weights, k_norm, self.eps, &a.k_raw, &mut a.k, &mut a.k_stats);
        }
        rotary(&mut a.q, &at[0].positions, &at[0].table, n_heads, head_dim);
        rotary(&mut a.k, &at[1].positions, &at[1].table, n_kv_heads, head_dim);
    }

    /// `dx = dy · ∂attention/∂x`, gradients of the weights added.
    pub(crate) fn backward(
        &self,
        pass: AttentionBackward<'_>,
        s: &mut AttentionScratch,
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let AttentionBackward { weights, maps, x, context, extent, activations: a, dy } = pass;
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        s.out.resize(a.out.len(), 0.0);
        LinearBackward { weights, at: &self.output, d_in: n_heads * head_dim, x: &a.out, dy }.run(
            &mut s.out,
            Write::Overwrite,
            gradient,
        );
        s.q.resize(a.q.len(), 0.0);
        s.k.resize(a.k.len(), 0.0);
        s.v.resize(a.v.len(), 0.0);
        let forward = AttentionForward { q: &a.q, k: &a.k, v: &a.v, out: &a.out, lse: &a.lse };
        let grads = AttentionGrads { dq: &mut s.q, dk: &mut s.k, dv: &mut s.v };
        attention_backward(forward, &s.out, extent.attention_layout(context), self.shape, grads);
        let (asks, rotation) = (extent.rotation(context), &context.rotation);
        rotary_backward(&mut s.q, &asks.positions, &asks.table, n_heads, head_dim);
        rotary_backward(&mut s.k, &rotation.positions, &rotation.table, n_kv_heads, head_dim);
        if let Some((q_norm, k_norm)) = &self.qk_norm {
            std::mem::swap(&mut s.q, &mut s.q_raw);
            std::mem::swap(&mut s.k, &mut s.k_raw);
            s.q.resize(a.q.len(), 0.0);
            s.k.resize(a.k.len(), 0.0);
            let q = NormBackward { weights, at: q_norm, x: &a.q_raw, stats: &a.q_stats, dy: &s.q_raw };
            q.run(&mut s.q, Write::Overwrite, gradient);
            let k = NormBackward { weights, at: k_norm, x: &a.k_raw, stats: &a.k_stats, dy: &s.k_raw };
            k.run(&mut s.k, Write::Overwrite, gradient);
        }
        let input = ProjectionInput { x, query_input: &a.query_input, queries: extent.positions(context) };
        let mut split = std::mem::take(&mut s.maps);
        match &self.qkv {
            QkvAt::Separate { .. } => self.project_backward(maps, input, s, dx, gradient),
            QkvAt::FusedByHead(map) => {
                split.clear();
                split.resize(maps.weights.values.len(), 0.0);
                self.project_backward(maps, input, s, dx, &mut split);
                add_split_gradient(&split, map, n_heads, gradient);
            }
        }
        s.maps = split;
    }

    fn project_backward(
        &self,
        maps: QkvMaps<'_>,
        input: ProjectionInput<'_>,
        s: &mut AttentionScratch,
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let (weights, d_in, x) = (maps.weights, self.d_model, input.x);
        LinearBackward { weights, at: maps.k, d_in, x, dy: &s.k }.run(dx, Write::Overwrite, gradient);
        LinearBackward { weights, at: maps.v, d_in, x, dy: &s.v }.run(dx, Write::Add, gradient);
        match input.queries {
            None => {
                LinearBackward { weights, at: maps.q, d_in, x, dy: &s.q }.run(dx, Write::Add, gradient);
            }
            Some(queries) => {
                s.query_input.resize(queries.len() * d_in, 0.0);
                let q = LinearBackward { weights, at: maps.q, d_in, x: input.query_input, dy: &s.q };
                q.run(&mut s.query_input, Write::Overwrite, gradient);
                add_rows(&s.query_input, queries, d_in, dx);
            }
        }
    }
}

/// What the three projections read.
#[derive(Clone, Copy)]
struct ProjectionInput<'a> {
    x: &'a [f32],
    query_input: &'a [f32],
    queries: Option<&'a [u32]>,
}

/// What the way back through an attention sublayer starts from.
pub(crate) struct AttentionBackward<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) maps: QkvMaps<'a>,
    /// `[n_tokens, d_model]`.
    pub(crate) x: &'a [f32],
    pub(crate) context: &'a BatchContext,
    pub(crate) extent: Extent,
    pub(crate) activations: &'a AttentionActivations,
    /// `[n_outputs, d_model]`.
    pub(crate) dy: &'a [f32],
}
