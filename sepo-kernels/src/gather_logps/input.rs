//! Hidden rows and a head on a device, how much of their logits exists at a time, and the products of a tile

use super::HeadShape;
use super::plan::HeadPlan;
use crate::device::{DeviceError, Executor, Float, Matrix, MatrixProduct, Slice, SliceMut};
use crate::shape::{assert_shape, n_values};
use std::ops::Range;

/// How much of the logits exists at a time
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadTiling {
    /// hidden rows in a chunk
    pub chunk: usize,
    /// tokens in a tile of the vocabulary, a multiple of 8 so that rows of logits are aligned
    pub tile: usize,
}

impl Default for HeadTiling {
    /// 1024 rows by 8192 tokens: 32 MiB of logits
    fn default() -> Self {
        Self { chunk: 1024, tile: 8192 }
    }
}

impl HeadTiling {
    /// Values of a row of a tile, from one row to the next
    pub(crate) fn stride(self, vocab: usize) -> usize {
        assert!(self.chunk > 0 && self.tile > 0 && self.tile.is_multiple_of(8), "{self:?}");
        self.tile.min(vocab.next_multiple_of(8))
    }

    /// Buffer lengths for a head: packed hidden rows, and a tile of logits
    pub(crate) fn lens(self, plan: &HeadPlan, shape: HeadShape) -> [usize; 2] {
        let rows = plan.n_groups().min(self.chunk);
        [n_values([rows, shape.d_model]), n_values([rows, self.stride(shape.vocab)])]
    }

    pub(crate) fn chunks(self, n_groups: usize) -> impl Iterator<Item = Range<usize>> {
        (0..n_groups).step_by(self.chunk).map(move |start| start..n_groups.min(start + self.chunk))
    }

    pub(crate) fn tiles(self, vocab: usize) -> impl Iterator<Item = Range<usize>> {
        (0..vocab).step_by(self.tile).map(move |start| start..vocab.min(start + self.tile))
    }
}

/// Device memory that the head works in; [`HeadBufferLens`] says how much
#[derive(Debug)]
pub struct HeadBuffers<'a, T> {
    /// packed hidden rows
    pub packed: SliceMut<'a, T>,
    /// a tile of logits
    pub logits: SliceMut<'a, f32>,
    /// its gradient; only for the backward pass
    pub dlogits: SliceMut<'a, T>,
    /// gradient of packed hidden rows; only for the backward pass
    pub dpacked: SliceMut<'a, f32>,
    /// running maxima of a chunk; only for the forward pass
    pub max: SliceMut<'a, f32>,
    /// running sums of a chunk; only for the forward pass
    pub sum: SliceMut<'a, f64>,
}

/// Least lengths of [`HeadBuffers`]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadBufferLens {
    /// of `packed` and `dpacked`
    pub packed: usize,
    /// of `logits` and `dlogits`
    pub logits: usize,
    /// of `max` and `sum`
    pub chunk: usize,
}

impl HeadBufferLens {
    /// What a plan needs
    #[must_use]
    pub fn of(plan: &HeadPlan, shape: HeadShape, tiling: HeadTiling) -> Self {
        let [packed, logits] = tiling.lens(plan, shape);
        Self { packed, logits, chunk: plan.n_groups().min(tiling.chunk) }
    }
}

/// Hidden rows and the map from them to logits, on a device
#[derive(Clone, Copy, Debug)]
pub struct HeadInput<'a, T> {
    /// `[n_hidden, d_model]`, after the final norm
    pub hidden: Slice<'a, T>,
    /// `[vocab, d_model]`
    pub lm_head: Slice<'a, T>,
    /// sizes of both
    pub shape: HeadShape,
    /// how much of the logits exists at a time
    pub tiling: HeadTiling,
}

impl<T: Float> HeadInput<'_, T> {
    pub(crate) fn check(&self) {
        let HeadShape { n_hidden, d_model, vocab } = self.shape;
        assert_shape("`hidden`", self.hidden.len(), [n_hidden, d_model]);
        assert_shape("`lm_head`", self.lm_head.len(), [vocab, d_model]);
    }

    /// Rows of `lm_head` for the tokens of `tile`
    fn weights(&self, tile: &Range<usize>) -> Slice<'_, T> {
        let d_model = self.shape.d_model;
        self.lm_head.range(tile.start * d_model..tile.end * d_model)
    }

    /// Logits of packed hidden rows for the tokens of `tile`
    #[expect(unsafe_code, reason = "a product")]
    pub(crate) fn tile_logits(
        &self,
        on: &impl Executor,
        packed: Slice<'_, T>,
        tile: &Range<usize>,
        logits: &mut SliceMut<'_, f32>,
        add: bool,
    ) -> Result<(), DeviceError> {
        let HeadShape { d_model, vocab, .. } = self.shape;
        let (stride, n) = (self.tiling.stride(vocab), packed.len() / d_model);
        let out = Matrix::rows(logits.as_slice(), stride);
        let product = MatrixProduct {
            a: Matrix::rows(packed, d_model),
            b: Matrix::rows(self.weights(tile), d_model).transposed(),
            out,
            m: n,
            n: tile.len(),
            k: d_model,
            scale: 1.0,
            onto: add.then_some(out),
        };
        // SAFETY: `packed` is n rows of d_model values, the weights are as many as the tile has tokens, and `logits` is n
        // rows of `stride` values, of which the first of each are written.
        unsafe { on.matmul(&product) }
    }

    /// `dpacked (+)= dlogits weights`, and `dlm_head += dlogitsᵀ packed` for the tokens of `tile`
    #[expect(unsafe_code, reason = "two products")]
    pub(crate) fn tile_gradients(
        &self,
        on: &impl Executor,
        (packed, dlogits): (Slice<'_, T>, Slice<'_, T>),
        tile: &Range<usize>,
        dpacked: &mut SliceMut<'_, f32>,
        dlm_head: &mut SliceMut<'_, f32>,
    ) -> Result<(), DeviceError> {
        let HeadShape { d_model, vocab, .. } = self.shape;
        let (stride, n) = (self.tiling.stride(vocab), packed.len() / d_model);
        let dlogits = Matrix::rows(dlogits, stride);
        let dweights = dlm_head.as_slice().range(tile.start * d_model..tile.end * d_model);
        let (to_hidden, to_weights) =
            (Matrix::rows(dpacked.as_slice(), d_model), Matrix::rows(dweights, d_model));
        let hidden_product = MatrixProduct {
            a: dlogits,
            b: Matrix::rows(self.weights(tile), d_model),
            out: to_hidden,
            m: n,
            n: d_model,
            k: tile.len(),
            scale: 1.0,
            onto: (tile.start > 0).then_some(to_hidden),
        };
        let weights_product = MatrixProduct {
            a: dlogits.transposed(),
            b: Matrix::rows(packed, d_model),
            out: to_weights,
            m: tile.len(),
            n: d_model,
            k: n,
            scale: 1.0,
            onto: Some(to_weights),
        };
        // SAFETY: `dlogits` is n rows of `stride` values, of which the first of each are the tile's; `packed` and `dpacked`
        // are n rows of d_model values, weights and their gradient as many as the tile has tokens.
        unsafe { on.matmul(&hidden_product) }?;
        // SAFETY: as above.
        unsafe { on.matmul(&weights_product) }
    }
}
