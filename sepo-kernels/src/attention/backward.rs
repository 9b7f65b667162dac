//! Attention backward on the CPU
//!
//! Segments that hang together form a tree, and trees do not see one another. A task is one key head of one tree: it
//! alone adds to that head's gradients, in a fixed order, so there is nothing to lock and nothing that depends on the
//! threads. Its gradients are packed, `[tokens of the tree, heads, head_dim]`, and copied to their places at the end.

use super::cpu::{kv_rows, pack_group};
use super::tile::{KEYS, KeyTile, QueryTile, key_tiles, query_rows, query_tiles, visible};
use super::{AttentionForward, AttentionGrads, AttentionLayout, AttentionShape};
use crate::matmul::{Mat, Product, Threads, matmul};
use crate::{Write, simd};
use rayon::prelude::*;

pub(super) fn attention_backward(
    forward: AttentionForward<'_>,
    dout: &[f32],
    layout: AttentionLayout<'_>,
    shape: AttentionShape,
    grads: AttentionGrads<'_>,
) {
    let forest = Forest::new(layout);
    let inputs = Inputs { forward, dout, layout, shape, forest: &forest };
    let n_kv_heads = shape.n_kv_heads;
    let packed: Vec<Packed> = (0..forest.trees.len() * n_kv_heads)
        .into_par_iter()
        .with_max_len(1)
        .map(|task| Packed::of(&inputs, task / n_kv_heads, task % n_kv_heads))
        .collect();
    let (mut dq, mut dk, mut dv) = (grads.dq, grads.dk, grads.dv);
    let mut copies = Vec::new();
    for segment in 0..layout.segments.n_segments() {
        let n_tokens = layout.segments.range(segment).len();
        let (q, k, v);
        (q, dq) = dq.split_at_mut(query_rows(layout, segment).len() * shape.q_len());
        (k, dk) = dk.split_at_mut(n_tokens * shape.kv_len());
        (v, dv) = dv.split_at_mut(n_tokens * shape.kv_len());
        copies.push((segment, q, k, v));
    }
    copies.into_par_iter().for_each(|(segment, dq, dk, dv)| {
        let first_task = forest.tree_of[segment] * n_kv_heads;
        let local = forest.first_token[segment];
        let local_query = forest.first_query[segment];
        for (kv_head, packed) in packed[first_task..first_task + n_kv_heads].iter().enumerate() {
            unpack(&packed.dq, local_query, shape.group() * shape.head_dim, kv_head, shape.q_len(), dq);
            unpack(&packed.dk, local, shape.head_dim, kv_head, shape.kv_len(), dk);
            unpack(&packed.dv, local, shape.head_dim, kv_head, shape.kv_len(), dv);
        }
    });
}

/// Copies rows of `len` values, from row `first` on, to the `kv_head`-th piece of every token of `out`
fn unpack(packed: &[f32], first: usize, len: usize, kv_head: usize, token_len: usize, out: &mut [f32]) {
    let rows = packed[first * len..].chunks_exact(len);
    for (token, row) in out.chunks_exact_mut(token_len).zip(rows) {
        token[kv_head * len..(kv_head + 1) * len].copy_from_slice(row);
    }
}

/// Segments by the tree they belong to
struct Forest {
    /// segments of every tree, ascending
    trees: Vec<Vec<usize>>,
    /// tree of every segment
    tree_of: Vec<usize>,
    /// first token of every segment, counted within its tree
    first_token: Vec<usize>,
    /// first query of every segment, counted within its tree
    first_query: Vec<usize>,
    /// tokens of every tree
    n_tokens: Vec<usize>,
    /// queries of every tree
    n_queries: Vec<usize>,
}

impl Forest {
    fn new(layout: AttentionLayout<'_>) -> Self {
        let segments = layout.segments;
        let mut forest = Self {
            trees: Vec::new(),
            tree_of: Vec::new(),
            first_token: Vec::new(),
            first_query: Vec::new(),
            n_tokens: Vec::new(),
            n_queries: Vec::new(),
        };
        for segment in 0..segments.n_segments() {
            let tree = segments.parent(segment).map_or(forest.trees.len(), |parent| forest.tree_of[parent]);
            if tree == forest.trees.len() {
                forest.trees.push(Vec::new());
                forest.n_tokens.push(0);
                forest.n_queries.push(0);
            }
            forest.trees[tree].push(segment);
            forest.tree_of.push(tree);
            forest.first_token.push(forest.n_tokens[tree]);
            forest.first_query.push(forest.n_queries[tree]);
            forest.n_tokens[tree] += segments.range(segment).len();
            forest.n_queries[tree] += query_rows(layout, segment).len();
        }
        forest
    }
}

struct Inputs<'a> {
    forward: AttentionForward<'a>,
    dout: &'a [f32],
    layout: AttentionLayout<'a>,
    shape: AttentionShape,
    forest: &'a Forest,
}

/// Gradients of one key head of one tree
struct Packed {
    dq: Vec<f32>,
    dk: Vec<f32>,
    dv: Vec<f32>,
}

impl Packed {
    fn of(inputs: &Inputs<'_>, tree: usize, kv_head: usize) -> Self {
        let &Inputs { layout, shape, forest, .. } = inputs;
        let len = forest.n_tokens[tree] * shape.head_dim;
        let dq = vec![0.0; forest.n_queries[tree] * shape.group() * shape.head_dim];
        let mut packed = Self { dq, dk: vec![0.0; len], dv: vec![0.0; len] };
        let mut queries = QueryValues::default();
        for &segment in &forest.trees[tree] {
            let first_row = query_rows(layout, segment).start;
            for tile in query_tiles(layout, segment) {
                queries.load(inputs, &tile, kv_head);
                let local_query = forest.first_query[segment] + tile.rows.start - first_row;
                for keys in key_tiles(layout.segments, &tile, shape.window) {
                    packed.add(inputs, &mut queries, (&tile, local_query), &keys, kv_head);
                }
            }
        }
        packed
    }

    /// Adds what the queries of one tile and the keys of another contribute
    fn add(
        &mut self,
        inputs: &Inputs<'_>,
        queries: &mut QueryValues,
        (tile, local_query): (&QueryTile<'_>, usize),
        keys: &KeyTile,
        kv_head: usize,
    ) {
        let &Inputs { forward, layout, shape, forest, .. } = inputs;
        let (head_dim, n_keys, n_rows) = (shape.head_dim, keys.tokens.len(), queries.delta.len());
        let dq = &mut self.dq[local_query * shape.group() * head_dim..];
        let first_token = layout.segments.range(keys.segment).start;
        let local_key = forest.first_token[keys.segment] + keys.tokens.start - first_token;
        let first_key = local_key * head_dim;
        let k = kv_rows(forward.k, keys, kv_head, shape);
        let v = kv_rows(forward.v, keys, kv_head, shape);
        let (one, add) = (Threads::One, Write::Add);

        let scores = Product { m: n_rows, n: n_keys, k: head_dim, scale: shape.scale() };
        let q = Mat::rows(&queries.q, head_dim);
        matmul(q, k.transposed(), &mut queries.p, n_keys, scores, Write::Overwrite, one);
        queries.scores_to_weights(tile, keys, shape);

        // dv += pᵀ dout
        let to_keys = Product { m: n_keys, n: head_dim, k: n_rows, scale: 1.0 };
        let dout = Mat::rows(&queries.dout, head_dim);
        let p = Mat::rows(&queries.p, n_keys).transposed();
        matmul(p, dout, &mut self.dv[first_key..], head_dim, to_keys, add, one);

        // ds = p (dout vᵀ - delta)
        let dp = Product { scale: 1.0, ..scores };
        matmul(dout, v.transposed(), &mut queries.ds, n_keys, dp, Write::Overwrite, one);
        queries.weight_gradients(n_keys);

        // dq += ds k / sqrt(head_dim);  dk += dsᵀ q / sqrt(head_dim)
        let ds = Mat::rows(&queries.ds, n_keys);
        let to_queries = Product { m: n_rows, n: head_dim, k: n_keys, scale: shape.scale() };
        matmul(ds, k, dq, head_dim, to_queries, add, one);
        let to_keys = Product { scale: shape.scale(), ..to_keys };
        let q = Mat::rows(&queries.q, head_dim);
        matmul(ds.transposed(), q, &mut self.dk[first_key..], head_dim, to_keys, add, one);
    }
}

/// What a tile of queries brings to every tile of keys; rows are queries x heads of the group
#[derive(Default)]
struct QueryValues {
    q: Vec<f32>,
    dout: Vec<f32>,
    out: Vec<f32>,
    lse: Vec<f32>,
    /// `dout · out`, the mean of `dout · v` under the weights
    delta: Vec<f32>,
    p: Vec<f32>,
    ds: Vec<f32>,
}

impl QueryValues {
    fn load(&mut self, inputs: &Inputs<'_>, tile: &QueryTile<'_>, kv_head: usize) {
        let &Inputs { forward, dout, shape, .. } = inputs;
        pack_group(forward.q, tile, kv_head, shape, &mut self.q);
        pack_group(dout, tile, kv_head, shape, &mut self.dout);
        pack_group(forward.out, tile, kv_head, shape, &mut self.out);
        let group = shape.group();
        self.lse.clear();
        for row in tile.rows.clone() {
            self.lse.extend_from_slice(&forward.lse[row * shape.n_heads + kv_head * group..][..group]);
        }
        self.delta.clear();
        let rows = self.dout.chunks_exact(shape.head_dim).zip(self.out.chunks_exact(shape.head_dim));
        self.delta.extend(rows.map(|(dout, out)| simd::dot(dout, out)));
        self.p.resize(self.delta.len() * KEYS, 0.0);
        self.ds.resize(self.delta.len() * KEYS, 0.0);
    }

    fn scores_to_weights(&mut self, tile: &QueryTile<'_>, keys: &KeyTile, shape: AttentionShape) {
        let n_keys = keys.tokens.len();
        for (row, (scores, &lse)) in self.p.chunks_exact_mut(n_keys).zip(&self.lse).enumerate() {
            let visible = visible(keys, tile.position(row / shape.group()), shape.window);
            scores[..visible.start].fill(0.0);
            scores[visible.end..].fill(0.0);
            simd::scaled_exp(&mut scores[visible], lse, 1.0);
        }
    }

    fn weight_gradients(&mut self, n_keys: usize) {
        let rows = self.ds.chunks_exact_mut(n_keys).zip(self.p.chunks_exact(n_keys)).zip(&self.delta);
        for ((ds, p), &delta) in rows {
            simd::multiply_difference(ds, p, delta);
        }
    }
}
