//! The attention sublayer: projections, per-head norms, rotary embedding, attention, output projection.

use sepo_kernels::{
    AttentionForward, AttentionGrads, AttentionShape, Write, attention, attention_backward, rotary,
    rotary_backward,
};

use super::linear::{LinearBackward, linear_forward};
use super::norm::{NormBackward, NormStats, norm_forward};
use super::{BatchContext, Rotation};
use crate::ModelConfig;
use crate::architecture::{BlockAt, LinearAt, NormAt, QkvAt};

/// What the sublayer computes on its way, `[n_tokens, heads · head_dim]` unless said.
#[derive(Debug, Default)]
pub(crate) struct AttentionActivations {
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
    /// `[n_tokens, n_heads]`.
    lse: Vec<f32>,
    /// `[n_tokens, 3 · d_model]`, where one map makes all three.
    fused: Vec<f32>,
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
    fused: Vec<f32>,
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

    /// `y += attention(x)`.
    pub(crate) fn forward(
        &self,
        weights: &[f32],
        x: &[f32],
        context: &BatchContext,
        a: &mut AttentionActivations,
        y: &mut [f32],
    ) {
        self.project(weights, x, a);
        self.rotate(weights, &context.rotation, a);
        a.out.resize(a.q.len(), 0.0);
        a.lse.resize(context.n_tokens() * self.shape.n_heads, 0.0);
        attention(&a.q, &a.k, &a.v, &context.segments, self.shape, &mut a.out, &mut a.lse);
        self.project_output(weights, &a.out, y);
    }

    /// `y += out Wᵀ (+ b)`.
    pub(crate) fn project_output(&self, weights: &[f32], out: &[f32], y: &mut [f32]) {
        linear_forward(weights, &self.output, self.shape.n_heads * self.shape.head_dim, out, y, Write::Add);
    }

    /// Queries, keys and values from the normalised residual stream.
    pub(crate) fn project(&self, weights: &[f32], x: &[f32], a: &mut AttentionActivations) {
        let d = self.d_model;
        let n = x.len() / d;
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        a.q.resize(n * n_heads * head_dim, 0.0);
        a.k.resize(n * n_kv_heads * head_dim, 0.0);
        a.v.resize(n * n_kv_heads * head_dim, 0.0);
        match &self.qkv {
            QkvAt::Separate { q, k, v } => {
                linear_forward(weights, q, d, x, &mut a.q, Write::Overwrite);
                linear_forward(weights, k, d, x, &mut a.k, Write::Overwrite);
                linear_forward(weights, v, d, x, &mut a.v, Write::Overwrite);
            }
            QkvAt::FusedByHead(map) => {
                a.fused.resize(3 * n * d, 0.0);
                linear_forward(weights, map, d, x, &mut a.fused, Write::Overwrite);
                split_heads(&a.fused, head_dim, [&mut a.q, &mut a.k, &mut a.v]);
            }
        }
    }

    /// Per-head norms and the rotary embedding.
    pub(crate) fn rotate(&self, weights: &[f32], rotation: &Rotation, a: &mut AttentionActivations) {
        let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        if let Some((q_norm, k_norm)) = &self.qk_norm {
            std::mem::swap(&mut a.q, &mut a.q_raw);
            std::mem::swap(&mut a.k, &mut a.k_raw);
            norm_forward(weights, q_norm, self.eps, &a.q_raw, &mut a.q, &mut a.q_stats);
            norm_forward(weights, k_norm, self.eps, &a.k_raw, &mut a.k, &mut a.k_stats);
        }
        rotary(&mut a.q, &rotation.positions, &rotation.table, n_heads, head_dim);
        rotary(&mut a.k, &rotation.positions, &rotation.table, n_kv_heads, head_dim);
    }

    /// `dx = dy · ∂attention/∂x`, gradients of the weights added.
    pub(crate) fn backward(
        &self,
        pass: AttentionBackward<'_>,
        s: &mut AttentionScratch,
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let AttentionBackward { weights, x, context, activations: a, dy } = pass;
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
        attention_backward(forward, &s.out, &context.segments, self.shape, grads);
        let rotation = &context.rotation;
        rotary_backward(&mut s.q, &rotation.positions, &rotation.table, n_heads, head_dim);
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
        self.project_backward(weights, x, s, dx, gradient);
    }

    fn project_backward(
        &self,
        weights: &[f32],
        x: &[f32],
        s: &mut AttentionScratch,
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let d_in = self.d_model;
        match &self.qkv {
            QkvAt::Separate { q, k, v } => {
                LinearBackward { weights, at: q, d_in, x, dy: &s.q }.run(dx, Write::Overwrite, gradient);
                LinearBackward { weights, at: k, d_in, x, dy: &s.k }.run(dx, Write::Add, gradient);
                LinearBackward { weights, at: v, d_in, x, dy: &s.v }.run(dx, Write::Add, gradient);
            }
            QkvAt::FusedByHead(map) => {
                s.fused.resize(3 * s.q.len(), 0.0);
                join_heads([&s.q, &s.k, &s.v], self.shape.head_dim, &mut s.fused);
                LinearBackward { weights, at: map, d_in, x, dy: &s.fused }.run(
                    dx,
                    Write::Overwrite,
                    gradient,
                );
            }
        }
    }
}

/// What the way back through an attention sublayer starts from.
pub(crate) struct AttentionBackward<'a> {
    pub(crate) weights: &'a [f32],
    pub(crate) x: &'a [f32],
    pub(crate) context: &'a BatchContext,
    pub(crate) activations: &'a AttentionActivations,
    pub(crate) dy: &'a [f32],
}

/// `[n, heads, 3, head_dim]` into three times `[n, heads, head_dim]`.
fn split_heads(fused: &[f32], head_dim: usize, parts: [&mut [f32]; 3]) {
    for (i, part) in parts.into_iter().enumerate() {
        for (head, out) in fused.chunks_exact(3 * head_dim).zip(part.chunks_exact_mut(head_dim)) {
            out.copy_from_slice(&head[i * head_dim..(i + 1) * head_dim]);
        }
    }
}

/// The inverse of [`split_heads`].
fn join_heads(parts: [&[f32]; 3], head_dim: usize, fused: &mut [f32]) {
    for (i, part) in parts.into_iter().enumerate() {
        for (head, value) in fused.chunks_exact_mut(3 * head_dim).zip(part.chunks_exact(head_dim)) {
            head[i * head_dim..(i + 1) * head_dim].copy_from_slice(value);
        }
    }
}
