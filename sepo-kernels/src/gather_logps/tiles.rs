//! How the fused head walks over hidden rows and vocabulary

use crate::matmul::{Mat, Product, Threads};
use crate::{Precision, Rows, Write};
use std::ops::Range;

/// Hidden rows that are packed side by side
pub(crate) const HIDDEN_ROWS: usize = 1024;
/// Tokens of the vocabulary whose logits are held at a time
pub(crate) const VOCAB_TILE: usize = 1024;

/// A hidden row and the rows that read it
pub(crate) struct Group {
    pub(crate) hidden_row: usize,
    pub(crate) rows: Range<usize>,
}

/// One group for every hidden row that is read by a row for which `wanted` holds
pub(crate) fn groups(rows: &Rows, wanted: impl Fn(usize) -> bool) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut start = 0;
    for run in rows.hidden_rows().chunk_by(|a, b| a == b) {
        let rows = start..start + run.len();
        start = rows.end;
        if rows.clone().any(&wanted) {
            groups.push(Group { hidden_row: run[0] as usize, rows });
        }
    }
    groups
}

/// The hidden rows of `groups`, side by side
pub(crate) fn pack(hidden: &[f32], groups: &[Group], d_model: usize, packed: &mut Vec<f32>) {
    packed.clear();
    for group in groups {
        packed.extend_from_slice(&hidden[group.hidden_row * d_model..][..d_model]);
    }
}

/// The vocabulary in pieces
pub(crate) fn vocab_tiles(vocab: usize) -> impl Iterator<Item = Range<usize>> {
    (0..vocab).step_by(VOCAB_TILE).map(move |start| start..vocab.min(start + VOCAB_TILE))
}

/// Logits of the packed hidden rows for the tokens of `tile`, `[packed rows, tile]`
pub(crate) fn tile_logits(
    packed: &[f32],
    lm_head: &[f32],
    tile: &Range<usize>,
    d_model: usize,
    logits: &mut [f32],
    precision: Precision,
    write: Write,
) {
    let n_rows = logits.len() / tile.len();
    let product = Product { m: n_rows, n: tile.len(), k: d_model, scale: 1.0 };
    let weight = Mat::rows(&lm_head[tile.start * d_model..tile.end * d_model], d_model).transposed();
    let out_stride = tile.len();
    let packed = Mat::rows(packed, d_model);
    precision.matmul()(packed, weight, logits, out_stride, product, write, Threads::Pool);
}
