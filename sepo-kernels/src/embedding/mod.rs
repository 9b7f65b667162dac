//! Rows of a table picked by token id, and the gradient of the table

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::shape::assert_shape;

/// Row `ids[t]` of the table for every token *t*, written to `out`
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `table` | `[vocab, d_model]` |
/// | `ids` | `[n_tokens]` |
/// | `out` | `[n_tokens, d_model]` |
///
/// # Panics
/// Where a slice does not have its shape or an id is not a row of the table.
///
/// # Examples
/// ```
/// let mut out = [0.0; 4];
/// sepo_kernels::embedding(&[1.0, 2.0, 3.0, 4.0], &[1, 0], 2, &mut out);
/// assert_eq!(out, [3.0, 4.0, 1.0, 2.0]);
/// ```
pub fn embedding(table: &[f32], ids: &[u32], d_model: usize, out: &mut [f32]) {
    check(table, ids, d_model, out);
    cpu::embedding(table, ids, d_model, out);
}

/// The rows of `dout` added to the rows of `dtable` that their ids name
///
/// Shapes as in [`embedding`]. Rows that share an id are added in the order of their tokens.
///
/// # Panics
/// As [`embedding`].
///
/// # Examples
/// ```
/// let mut dtable = [0.5; 2];
/// sepo_kernels::embedding_backward(&[1, 1], &[2.0, 3.0], 1, &mut dtable);
/// assert_eq!(dtable, [0.5, 5.5]);
/// ```
pub fn embedding_backward(ids: &[u32], dout: &[f32], d_model: usize, dtable: &mut [f32]) {
    check(dtable, ids, d_model, dout);
    cpu::embedding_backward(ids, dout, d_model, dtable);
}

fn check(table: &[f32], ids: &[u32], d_model: usize, out: &[f32]) {
    assert_shape("the token side", out.len(), [ids.len(), d_model]);
    let vocab = crate::tasks::assert_rows(table, d_model);
    for (token, &id) in ids.iter().enumerate() {
        assert!((id as usize) < vocab, "token {token} has id {id}, the table has {vocab} rows");
    }
}
