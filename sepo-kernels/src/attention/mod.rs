//! Causal attention over segments that may continue one another, with grouped-query heads and a sliding window
//!
//! Scores live in tiles with a running softmax (arXiv 2205.14135); no `[tokens, tokens]` matrix exists.

mod backward;
mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(feature = "cuda")]
pub(crate) mod mma;
#[cfg(feature = "cuda")]
pub(crate) mod plan;
mod tile;

use crate::Segments;
use crate::shape::{assert_shape, n_values};

/// Heads of an attention layer
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// query heads; a multiple of `n_kv_heads`
    pub n_heads: usize,
    /// key and value heads; query heads `g * i..g * (i + 1)` read head `i`, with `g = n_heads / n_kv_heads`
    pub n_kv_heads: usize,
    /// values in a head; scores are scaled by `1 / sqrt(head_dim)`
    pub head_dim: usize,
    /// how many positions a token sees, itself included; all where `None`
    pub window: Option<usize>,
}

impl AttentionShape {
    pub(crate) fn group(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }

    pub(crate) fn q_len(&self) -> usize {
        n_values([self.n_heads, self.head_dim])
    }

    pub(crate) fn kv_len(&self) -> usize {
        n_values([self.n_kv_heads, self.head_dim])
    }

    pub(crate) fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    fn check(&self, q: &[f32], k: &[f32], v: &[f32], layout: AttentionLayout<'_>) {
        let (n_queries, n_tokens) = (layout.n_queries(), layout.segments.n_tokens());
        let &Self { n_heads, n_kv_heads, head_dim, window } = self;
        assert!(n_kv_heads > 0 && head_dim > 0, "{n_kv_heads} heads of {head_dim} values cannot attend");
        assert!(n_heads > 0 && n_heads.is_multiple_of(n_kv_heads), "{n_heads} heads over {n_kv_heads}");
        assert_ne!(window, Some(0), "a token sees at least itself");
        assert_shape("`q`", q.len(), [n_queries, n_heads, head_dim]);
        assert_shape("`k`", k.len(), [n_tokens, n_kv_heads, head_dim]);
        assert_eq!(v.len(), k.len(), "`v` must be as long as `k`");
    }
}

/// Tokens that ask; every token is asked
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Queries<'a> {
    /// every token
    #[default]
    All,
    /// the tokens at these flat indices, ascending, each once; row *i* of `q` belongs to the *i*-th of them
    At(&'a [u32]),
}

/// Which tokens there are, how they hang together, and which of them ask
#[derive(Clone, Copy, Debug)]
pub struct AttentionLayout<'a> {
    /// all tokens, each of which is a key
    pub segments: &'a Segments,
    /// the tokens that have a query
    pub queries: Queries<'a>,
}

impl<'a> AttentionLayout<'a> {
    /// The layout in which every token of `segments` asks
    #[must_use]
    pub fn all(segments: &'a Segments) -> Self {
        Self { segments, queries: Queries::All }
    }

    fn n_queries(&self) -> usize {
        match self.queries {
            Queries::All => self.segments.n_tokens(),
            Queries::At(tokens) => {
                assert!(tokens.is_sorted_by(|a, b| a < b), "queries must ascend");
                let n_tokens = self.segments.n_tokens();
                assert!(
                    tokens.last().is_none_or(|last| (*last as usize) < n_tokens),
                    "a query beyond {n_tokens}"
                );
                tokens.len()
            }
        }
    }
}

/// What the forward pass of [`attention`] read and wrote
#[derive(Clone, Copy, Debug)]
pub struct AttentionForward<'a> {
    /// queries, `[n_queries, n_heads, head_dim]`
    pub q: &'a [f32],
    /// keys, `[n_tokens, n_kv_heads, head_dim]`
    pub k: &'a [f32],
    /// values, `[n_tokens, n_kv_heads, head_dim]`
    pub v: &'a [f32],
    /// result, `[n_queries, n_heads, head_dim]`
    pub out: &'a [f32],
    /// log-sum-exp of the scaled scores, `[n_queries, n_heads]`
    pub lse: &'a [f32],
}

/// Where [`attention_backward`] leaves its gradients, each overwritten
#[derive(Debug)]
pub struct AttentionGrads<'a> {
    /// gradient of the queries, `[n_queries, n_heads, head_dim]`
    pub dq: &'a mut [f32],
    /// gradient of the keys, `[n_tokens, n_kv_heads, head_dim]`
    pub dk: &'a mut [f32],
    /// gradient of the values, `[n_tokens, n_kv_heads, head_dim]`
    pub dv: &'a mut [f32],
}

/// The mean of the values that each token sees, weighed by `softmax(q · k / sqrt(head_dim))`, written to `out`
///
/// A token sees every token of its segment's ancestors, and its own segment up to itself; with a `window`, only those
/// of them whose position is less than `window` before its own. `lse` is kept for the backward pass.
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `q`, `out` | `[n_queries, n_heads, head_dim]` |
/// | `k`, `v` | `[n_tokens, n_kv_heads, head_dim]` |
/// | `lse` | `[n_queries, n_heads]` |
///
/// # Which token an index names
/// Row *t* of `k` and `v` belongs to flat token *t* of the segments; row *i* of `q`, `out` and `lse` to the *i*-th token
/// that asks.
///
/// # Panics
/// Where a slice does not have its shape, `n_heads` is not a multiple of `n_kv_heads`, the window is 0, or queries do not
/// ascend within the tokens.
///
/// # Examples
/// ```
/// use sepo_kernels::{AttentionLayout, AttentionShape, Queries, Segments, attention};
///
/// let shape = AttentionShape { n_heads: 1, n_kv_heads: 1, head_dim: 1, window: None };
/// let (mut out, mut lse) = ([0.0; 3], [0.0; 3]);
/// // Equal scores: each token sees the mean of the values so far. Tokens 1 and 2 both continue token 0.
/// let segments = Segments::new(vec![0, 1, 2, 3], vec![None, Some(0), Some(0)])?;
/// let layout = AttentionLayout::all(&segments);
/// attention(&[0.0; 3], &[0.0; 3], &[2.0, 4.0, 8.0], layout, shape, &mut out, &mut lse);
/// assert_eq!(out, [2.0, 3.0, 5.0]);
/// // Only token 2 asks.
/// let layout = AttentionLayout { queries: Queries::At(&[2]), ..layout };
/// attention(&[0.0], &[0.0; 3], &[2.0, 4.0, 8.0], layout, shape, &mut out[..1], &mut lse[..1]);
/// assert_eq!(out[0], 5.0);
/// # Ok::<(), sepo_kernels::KernelError>(())
/// ```
pub fn attention(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    layout: AttentionLayout<'_>,
    shape: AttentionShape,
    out: &mut [f32],
    lse: &mut [f32],
) {
    shape.check(q, k, v, layout);
    assert_eq!(out.len(), q.len(), "`out` must be as long as `q`");
    assert_eq!(lse.len(), q.len() / shape.head_dim, "`lse` must have one value a query and head");
    cpu::attention(q, k, v, layout, shape, out, lse);
}

/// The gradients of [`attention`] for the gradient `dout` of its result
///
/// With `p` the weights of a query: `dv = Σ p dout`, `ds = p (dout · v - dout · out)`, `dq = Σ ds k / sqrt(head_dim)`,
/// `dk = Σ ds q / sqrt(head_dim)`. The weights are computed again from `q`, `k` and `lse`.
///
/// # Panics
/// Where a slice does not have its shape, `n_heads` is not a multiple of `n_kv_heads`, the window is 0, or queries do not
/// ascend within the tokens.
///
/// # Examples
/// ```
/// use sepo_kernels::{
///     AttentionForward, AttentionGrads, AttentionLayout, AttentionShape, Segments, attention_backward,
/// };
///
/// let shape = AttentionShape { n_heads: 1, n_kv_heads: 1, head_dim: 1, window: None };
/// let (q, k, v, out) = ([0.0; 2], [0.0; 2], [2.0, 4.0], [2.0, 3.0]);
/// let forward = AttentionForward { q: &q, k: &k, v: &v, out: &out, lse: &[0.0, 2.0_f32.ln()] };
/// let (mut dq, mut dk, mut dv) = ([9.0; 2], [9.0; 2], [9.0; 2]);
/// let grads = AttentionGrads { dq: &mut dq, dk: &mut dk, dv: &mut dv };
/// attention_backward(forward, &[0.0, 1.0], AttentionLayout::all(&Segments::single(2)), shape, grads);
/// assert!((dv[0] - 0.5).abs() < 1e-6 && (dv[1] - 0.5).abs() < 1e-6);
/// ```
pub fn attention_backward(
    forward: AttentionForward<'_>,
    dout: &[f32],
    layout: AttentionLayout<'_>,
    shape: AttentionShape,
    grads: AttentionGrads<'_>,
) {
    let AttentionForward { q, k, v, out, lse } = forward;
    shape.check(q, k, v, layout);
    assert_eq!(out.len(), q.len(), "`out` must be as long as `q`");
    assert_eq!(lse.len(), q.len() / shape.head_dim, "`lse` must have one value a query and head");
    assert_eq!(dout.len(), q.len(), "`dout` must be as long as `q`");
    assert_eq!(grads.dq.len(), q.len(), "`dq` must be as long as `q`");
    assert_eq!((grads.dk.len(), grads.dv.len()), (k.len(), k.len()), "`dk` and `dv` must be as long as `k`");
    backward::attention_backward(forward, dout, layout, shape, grads);
}
