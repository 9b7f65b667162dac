//! Attention of one new token over the keys and values of what came before it.

mod cpu;

use crate::AttentionShape;

/// Keys and values that a sequence has seen, the new token's included: `[n_keys, n_kv_heads · head_dim]` each.
#[derive(Debug, Clone, Copy)]
pub struct KeyValues<'a> {
    /// Rotated keys.
    pub keys: &'a [f32],
    /// Values.
    pub values: &'a [f32],
}

/// The attention output of one token, the last of its sequence, into `out`.
///
/// Equal to the last row of [`attention`](crate::attention()) over the whole sequence.
///
/// # Shapes
///
/// | argument | shape |
/// |---|---|
/// | `q`, `out` | `[n_heads · head_dim]` |
/// | `seen` | `[n_keys, n_kv_heads · head_dim]`, `n_keys >= 1` |
///
/// # Panics
///
/// Where the lengths do not fit `shape`.
///
/// # Examples
///
/// ```
/// use sepo_kernels::{AttentionShape, KeyValues, cached_attention};
///
/// let shape = AttentionShape { n_heads: 1, n_kv_heads: 1, head_dim: 2, window: None };
/// let mut out = [0.0; 2];
/// // A query of zeros weighs both keys alike.
/// let seen = KeyValues { keys: &[1.0, 0.0, 0.0, 1.0], values: &[2.0, 0.0, 4.0, 6.0] };
/// cached_attention(&[0.0, 0.0], seen, shape, &mut out);
/// assert_eq!(out, [3.0, 3.0]);
/// ```
pub fn cached_attention(q: &[f32], seen: KeyValues<'_>, shape: AttentionShape, out: &mut [f32]) {
    let width = shape.kv_len();
    assert_eq!(q.len(), shape.q_len(), "queries: n_heads * head_dim");
    assert_eq!(out.len(), q.len(), "output: as long as the queries");
    assert_eq!(seen.keys.len(), seen.values.len(), "as many keys as values");
    assert!(
        !seen.keys.is_empty() && seen.keys.len().is_multiple_of(width),
        "keys: [n_keys, n_kv_heads * head_dim]"
    );
    cpu::cached_attention(q, seen, shape, out);
}
