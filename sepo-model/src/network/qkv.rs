//! The projections into queries, keys and values: three maps, whatever the file holds.

use super::Weights;
use crate::architecture::{LinearAt, QkvAt};

/// Three maps taken out of one whose rows are, head by head, that head's query, key and value. Unused where a model has
/// three maps anyway.
///
/// Taking the weights apart costs less than taking apart what they make of every token, and it lets queries be made for
/// fewer tokens than keys and values.
#[derive(Debug, Clone, Default)]
pub(crate) struct SplitQkv {
    values: Vec<f32>,
    /// Query, key and value map in `values`.
    at: Vec<LinearAt>,
}

/// Where the three maps lie, and in which buffer.
#[derive(Clone, Copy)]
pub(crate) struct QkvMaps<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) q: &'a LinearAt,
    pub(crate) k: &'a LinearAt,
    pub(crate) v: &'a LinearAt,
}

impl SplitQkv {
    /// The maps of a block, taken apart first where the file holds them as one.
    pub(crate) fn maps<'a>(
        &'a mut self,
        weights: Weights<'a>,
        qkv: &'a QkvAt,
        n_heads: usize,
    ) -> QkvMaps<'a> {
        if let QkvAt::FusedByHead(map) = qkv {
            self.load(weights, map, n_heads);
        }
        self.loaded(weights, qkv)
    }

    /// The maps of the block that was taken apart last.
    pub(crate) fn loaded<'a>(&'a self, weights: Weights<'a>, qkv: &'a QkvAt) -> QkvMaps<'a> {
        match qkv {
            QkvAt::Separate { q, k, v } => QkvMaps { weights, q, k, v },
            QkvAt::FusedByHead(_) => QkvMaps {
                weights: Weights { values: &self.values, ..weights },
                q: &self.at[0],
                k: &self.at[1],
                v: &self.at[2],
            },
        }
    }

    fn load(&mut self, weights: Weights<'_>, map: &LinearAt, n_heads: usize) {
        let (weight, bias) = (weights.at(&map.weight), map.bias.as_ref().map(|at| weights.at(at)));
        self.values.resize(weight.len() + bias.map_or(0, <[f32]>::len), 0.0);
        let (split_weight, split_bias) = self.values.split_at_mut(weight.len());
        take_apart(weight, n_heads, split_weight);
        if let Some(bias) = bias {
            take_apart(bias, n_heads, split_bias);
        }
        let third = |start: usize, n: usize, part: usize| start + part * n / 3..start + (part + 1) * n / 3;
        self.at.clear();
        self.at.extend((0..3).map(|part| LinearAt {
            weight: third(0, weight.len(), part),
            bias: bias.map(|bias| third(weight.len(), bias.len(), part)),
        }));
    }
}

/// Adds the gradients of three maps, in the order of [`SplitQkv`], to those of the one map that they were taken from.
pub(super) fn add_split_gradient(split: &[f32], map: &LinearAt, n_heads: usize, gradient: &mut [f32]) {
    let (weight, bias) = split.split_at(map.weight.len());
    put_together(weight, n_heads, &mut gradient[map.weight.clone()]);
    if let Some(at) = &map.bias {
        put_together(bias, n_heads, &mut gradient[at.clone()]);
    }
}

/// `[heads, 3, …]` into `[3, heads, …]`.
fn take_apart(fused: &[f32], n_heads: usize, split: &mut [f32]) {
    let len = split.len() / (3 * n_heads);
    for (i, piece) in split.chunks_exact_mut(len).enumerate() {
        let (part, head) = (i / n_heads, i % n_heads);
        piece.copy_from_slice(&fused[(3 * head + part) * len..][..len]);
    }
}

/// Adds `[3, heads, …]` to `[heads, 3, …]`.
fn put_together(split: &[f32], n_heads: usize, fused: &mut [f32]) {
    let len = split.len() / (3 * n_heads);
    for (i, piece) in split.chunks_exact(len).enumerate() {
        let (part, head) = (i / n_heads, i % n_heads);
        for (sum, value) in fused[(3 * head + part) * len..][..len].iter_mut().zip(piece) {
            *sum += value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_map_comes_apart_by_head_and_together_again() {
        // Two heads, one row each, d_model 2: rows are q0 k0 v0 q1 k1 v1.
        let fused = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let mut split = [0.0; 12];
        take_apart(&fused, 2, &mut split);
        assert_eq!(split, [1.0, 2.0, 7.0, 8.0, 3.0, 4.0, 9.0, 10.0, 5.0, 6.0, 11.0, 12.0]);
        let mut sum = [100.0; 12];
        put_together(&split, 2, &mut sum);
        assert_eq!(sum, fused.map(|x| x + 100.0));
    }
}
