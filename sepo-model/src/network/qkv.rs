//! The projections into queries, keys and values: three maps, whatever the file holds.

use std::borrow::Borrow;

use crate::ModelError;
use crate::architecture::{LinearAt, QkvAt};
use crate::backend::{Backend, Cpu, Weights};

/// Three maps taken out of one whose rows are, head by head, that head's query, key and value. Unused where a model has
/// three maps anyway.
///
/// Taking the weights apart costs less than taking apart what they make of every token, and it lets queries be made for
/// fewer tokens than keys and values.
#[derive(Debug)]
pub(crate) struct SplitQkv<B: Backend = Cpu> {
    values: B::Values,
    /// Query, key and value map in `values`.
    at: Vec<LinearAt>,
}

impl<B: Backend> Default for SplitQkv<B> {
    fn default() -> Self {
        Self { values: B::Values::default(), at: Vec::new() }
    }
}

/// Where the three maps lie, and in which buffer.
pub(crate) struct QkvMaps<'a, B: Backend = Cpu> {
    pub(crate) weights: Weights<'a, B>,
    pub(crate) q: &'a LinearAt,
    pub(crate) k: &'a LinearAt,
    pub(crate) v: &'a LinearAt,
}

impl<B: Backend> Clone for QkvMaps<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for QkvMaps<'_, B> {}

impl<B: Backend> SplitQkv<B> {
    /// The maps of a block, taken apart first where the file holds them as one.
    pub(crate) fn maps<'a>(
        &'a mut self,
        weights: Weights<'a, B>,
        qkv: &'a QkvAt,
        n_heads: usize,
    ) -> Result<QkvMaps<'a, B>, ModelError> {
        if let QkvAt::FusedByHead(map) = qkv {
            self.load(weights, map, n_heads)?;
        }
        Ok(self.loaded(weights, qkv))
    }

    /// The maps of the block that was taken apart last.
    pub(crate) fn loaded<'a>(&'a self, weights: Weights<'a, B>, qkv: &'a QkvAt) -> QkvMaps<'a, B> {
        match qkv {
            QkvAt::Separate { q, k, v } => QkvMaps { weights, q, k, v },
            QkvAt::FusedByHead(_) => QkvMaps {
                weights: Weights { values: self.values.borrow(), ..weights },
                q: &self.at[0],
                k: &self.at[1],
                v: &self.at[2],
            },
        }
    }

    fn load(&mut self, weights: Weights<'_, B>, map: &LinearAt, n_heads: usize) -> Result<(), ModelError> {
        let (n, n_bias) = (map.weight.len(), map.bias.as_ref().map_or(0, ExactSizeIterator::len));
        weights.on.resize(&mut self.values, n + n_bias)?;
        weights.on.take_apart(weights, &map.weight, n_heads, &mut self.values, &(0..n))?;
        if let Some(bias) = &map.bias {
            weights.on.take_apart(weights, bias, n_heads, &mut self.values, &(n..n + n_bias))?;
        }
        let third = |start: usize, n: usize, part: usize| start + part * n / 3..start + (part + 1) * n / 3;
        self.at.clear();
        self.at.extend((0..3).map(|part| LinearAt {
            weight: third(0, n, part),
            bias: map.bias.as_ref().map(|_| third(n, n_bias, part)),
        }));
        Ok(())
    }
}

/// Adds the gradients of three maps, in the order of [`SplitQkv`], to those of the one map that they were taken from.
pub(super) fn add_split_gradient<B: Backend>(
    on: &B,
    split: &B::Singles,
    map: &LinearAt,
    n_heads: usize,
    gradient: &mut B::Gradient,
) -> Result<(), ModelError> {
    let n = map.weight.len();
    on.put_together(split, &(0..n), n_heads, gradient, &map.weight)?;
    if let Some(at) = &map.bias {
        on.put_together(split, &(n..n + at.len()), n_heads, gradient, at)?;
    }
    Ok(())
}
