//! What a norm leaves for its way back.

use crate::backend::{Backend, Cpu};

/// Per row: the inverse of the root, and for `LayerNorm` the mean.
#[derive(Debug)]
pub struct NormStats<B: Backend = Cpu> {
    pub(crate) mean: B::Singles,
    pub(crate) inverse: B::Singles,
}

impl<B: Backend> Default for NormStats<B> {
    fn default() -> Self {
        Self { mean: B::Singles::default(), inverse: B::Singles::default() }
    }
}
