//! The flat buffer of weights, and how to multiply by them.

use std::ops::Range;

use sepo_kernels::Precision;

/// Weights of a model, or of a part of one in a buffer of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) values: &'a [f32],
    /// Of the matrix products with them.
    pub(crate) precision: Precision,
}

impl<'a> Weights<'a> {
    /// The tensor in this range.
    pub(crate) fn at(&self, range: &Range<usize>) -> &'a [f32] {
        &self.values[range.clone()]
    }
}
