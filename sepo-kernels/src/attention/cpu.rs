//! Attention forward on the CPU
//!
//! ```text
//! for 64 queries of a segment                          (tiles in parallel)
//!     for each key head                                rows: queries x heads of the group
//!         for 128 keys that some of the queries see
//!             scores = q kᵀ / sqrt(head_dim)           gemm
//!             weights = exp(scores - maximum so far)   in place; keys out of sight get 0
//!             out = out exp(old - new maximum) + weights v
//!         out /= Σ weights
//! ```

use super::tile::{KEYS, KeyTile, QueryTile, key_tiles, query_tiles, visible};
use super::{AttentionLayout, AttentionShape};
use crate::matmul::{Mat, Product, Threads, matmul};
use crate::{Write, simd};
use rayon::prelude::*;

pub(super) fn attention(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    layout: AttentionLayout<'_>,
    shape: AttentionShape,
    out: &mut [f32],
    lse: &mut [f32],
) {
    let inputs = Inputs { q, k, v, layout, shape };
    let (mut out_rest, mut lse_rest) = (out, lse);
    let mut tasks = Vec::new();
    // Tiles follow one another in the order of their rows, so each owns the next piece of the outputs.
    for queries in (0..layout.segments.n_segments()).flat_map(|segment| query_tiles(layout, segment)) {
        let n_queries = queries.rows.len();
        let (out, lse);
        (out, out_rest) = out_rest.split_at_mut(n_queries * shape.q_len());
        (lse, lse_rest) = lse_rest.split_at_mut(n_queries * shape.n_heads);
        tasks.push((queries, out, lse));
    }
    tasks.into_par_iter().with_max_len(1).for_each(|(queries, out, lse)| {
        let mut running = Running::new(queries.rows.len() * shape.group(), shape.head_dim);
        for kv_head in 0..shape.n_kv_heads {
            running.attend(&inputs, &queries, kv_head);
            running.write(kv_head, shape, out, lse);
        }
    });
}

struct Inputs<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    layout: AttentionLayout<'a>,
    shape: AttentionShape,
}

/// The heads of group `kv_head` of the queries of `tile`, side by side: `[queries * group, head_dim]`
pub(super) fn pack_group(
    x: &[f32],
    tile: &QueryTile<'_>,
    kv_head: usize,
    shape: AttentionShape,
    packed: &mut Vec<f32>,
) {
    let group_len = shape.group() * shape.head_dim;
    packed.clear();
    for row in tile.rows.clone() {
        packed.extend_from_slice(&x[row * shape.q_len() + kv_head * group_len..][..group_len]);
    }
}

/// Head `kv_head` of the keys or values of the tokens of `tile`, `[tokens, head_dim]`
pub(super) fn kv_rows<'a>(x: &'a [f32], tile: &KeyTile, kv_head: usize, shape: AttentionShape) -> Mat<'a> {
    let first = tile.tokens.start * shape.kv_len() + kv_head * shape.head_dim;
    Mat::rows(&x[first..], shape.kv_len())
}

/// Softmax and result of a tile of queries over the keys seen so far
struct Running {
    q: Vec<f32>,
    scores: Vec<f32>,
    out: Vec<f32>,
    max: Vec<f32>,
    sum: Vec<f32>,
}

impl Running {
    fn new(n_rows: usize, head_dim: usize) -> Self {
        Self {
            q: Vec::with_capacity(n_rows * head_dim),
            scores: vec![0.0; n_rows * KEYS],
            out: vec![0.0; n_rows * head_dim],
            max: vec![0.0; n_rows],
            sum: vec![0.0; n_rows],
        }
    }

    fn attend(&mut self, inputs: &Inputs<'_>, queries: &QueryTile<'_>, kv_head: usize) {
        let &Inputs { q, k, v, layout, shape } = inputs;
        pack_group(q, queries, kv_head, shape, &mut self.q);
        self.out.fill(0.0);
        self.max.fill(f32::NEG_INFINITY);
        self.sum.fill(0.0);
        let n_rows = self.max.len();
        for keys in key_tiles(layout.segments, queries, shape.window) {
            let n_keys = keys.tokens.len();
            let k = kv_rows(k, &keys, kv_head, shape).transposed();
            let product = Product { m: n_rows, n: n_keys, k: shape.head_dim, scale: shape.scale() };
            let q = Mat::rows(&self.q, shape.head_dim);
            matmul(q, k, &mut self.scores, n_keys, product, Write::Overwrite, Threads::One);
            for row in 0..n_rows {
                let position = queries.position(row / shape.group());
                self.add_weights(row, &keys, visible(&keys, position, shape.window));
            }
            let v = kv_rows(v, &keys, kv_head, shape);
            let product = Product { m: n_rows, n: shape.head_dim, k: n_keys, scale: 1.0 };
            let weights = Mat::rows(&self.scores, n_keys);
            matmul(weights, v, &mut self.out, shape.head_dim, product, Write::Add, Threads::One);
        }
    }

    /// Turns a row of scores into weights relative to the new maximum, and brings what was summed so far to it
    fn add_weights(&mut self, row: usize, keys: &KeyTile, visible: std::ops::Range<usize>) {
        let n_keys = keys.tokens.len();
        let scores = &mut self.scores[row * n_keys..(row + 1) * n_keys];
        scores[..visible.start].fill(0.0);
        scores[visible.end..].fill(0.0);
        if visible.is_empty() {
            return;
        }
        let scores = &mut scores[visible];
        let (old, new) = (self.max[row], self.max[row].max(simd::max(scores)));
        let sum = simd::exp_and_sum(scores, new);
        if new > old {
            let factor = (old - new).exp();
            let head_dim = self.out.len() / self.max.len();
            self.sum[row] *= factor;
            simd::scale(&mut self.out[row * head_dim..(row + 1) * head_dim], factor);
        }
        self.sum[row] += sum;
        self.max[row] = new;
    }

    fn write(&self, kv_head: usize, shape: AttentionShape, out: &mut [f32], lse: &mut [f32]) {
        let (group, head_dim) = (shape.group(), shape.head_dim);
        for (row, packed) in self.out.chunks_exact(head_dim).enumerate() {
            let head = kv_head * group + row % group;
            let out = &mut out[(row / group) * shape.q_len() + head * head_dim..][..head_dim];
            let factor = 1.0 / self.sum[row];
            for (out, packed) in out.iter_mut().zip(packed) {
                *out = packed * factor;
            }
            lse[(row / group) * shape.n_heads + head] = self.max[row] + self.sum[row].ln();
        }
    }
}
