//! The flat buffer of weights, and how to multiply by them.

use std::ops::Range;

use sepo_kernels::Precision;

use crate::backend::{Backend, Cpu};

/// Weights of a model, or of a part of one in a buffer of its own, and what they are on.
#[derive(Debug)]
pub struct Weights<'a, B: Backend = Cpu> {
    pub(crate) on: &'a B,
    pub(crate) values: &'a B::Flat,
    /// Of the matrix products with them, where the backend leaves a choice.
    pub(crate) precision: Precision,
}

impl<B: Backend> Clone for Weights<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Weights<'_, B> {}

impl<'a> Weights<'a, Cpu> {
    /// The tensor in this range.
    pub(crate) fn at(&self, range: &Range<usize>) -> &'a [f32] {
        &self.values[range.clone()]
    }
}
