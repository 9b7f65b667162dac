//! The output head on a device, a tile of logits at a time.

use std::fmt;

use sepo_kernels::cuda::{
    self, DeviceError, Float, HeadBufferLens, HeadGrads, HeadInput, HeadPlan, HeadTiling, Heap, HeapPlan,
    Slice, gather_logps, gather_logps_backward,
};
use sepo_kernels::{HeadShape, RowGradients};

use super::distribution::Diverged;
use super::head_memory::HeadMemory;
use super::{Cuda, DeviceBuffer};
use crate::backend::HeadAt;
use crate::batch::{BatchContext, RowValues};

/// What the head leaves for its way back, and works in.
pub struct CudaHead<H: Heap, T: Float> {
    memory: HeadMemory<H, T>,
    logps: DeviceBuffer<H, f64>,
    dlogps: DeviceBuffer<H, f64>,
    /// One a hidden row.
    lse: DeviceBuffer<H, f64>,
    diverged: Diverged<H, T>,
}

impl<H: Heap, T: Float> fmt::Debug for CudaHead<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaHead").field("lse", &self.lse).finish_non_exhaustive()
    }
}

impl<H: Heap, T: Float> Default for CudaHead<H, T> {
    fn default() -> Self {
        Self {
            memory: HeadMemory::default(),
            logps: DeviceBuffer::default(),
            dlogps: DeviceBuffer::default(),
            lse: DeviceBuffer::default(),
            diverged: Diverged::default(),
        }
    }
}

/// Hidden rows and the map, as launches take them.
pub(super) fn input<'a, H: Heap, T: Float>(
    at: &HeadAt<'a, Cuda<H, T>>,
    lm_head: Slice<'a, T>,
) -> HeadInput<'a, T> {
    let &HeadAt { hidden, d_model, vocab, .. } = at;
    let shape = HeadShape { n_hidden: hidden.len() / d_model, d_model, vocab };
    HeadInput { hidden: hidden.slice(), lm_head, shape, tiling: HeadTiling::default() }
}

/// The logits of every hidden row, `[n_hidden, vocab]`.
pub(super) fn logits<H: Heap, T: Float>(heap: &H, input: HeadInput<'_, T>) -> Result<Vec<f32>, DeviceError> {
    let HeadShape { n_hidden, vocab, .. } = input.shape;
    let stride = vocab.next_multiple_of(8);
    let mut logits = DeviceBuffer::default();
    logits.resize(heap, n_hidden * stride)?;
    cuda::logits(heap, input, logits.slice_mut())?;
    let rows = heap.download(logits.slice())?;
    Ok(rows.chunks_exact(stride).flat_map(|row| &row[..vocab]).copied().collect())
}

impl<H: Heap, T: Float> CudaHead<H, T> {
    pub(super) fn logps(
        &mut self,
        heap: &H,
        input: HeadInput<'_, T>,
        context: &BatchContext,
    ) -> Result<Vec<f64>, DeviceError> {
        let plan = HeadPlan::new(&context.rows, |_| true);
        self.memory.resize(heap, HeadBufferLens::of(&plan, input.shape, input.tiling), false)?;
        self.logps.resize(heap, context.rows.len())?;
        self.lse.resize(heap, input.shape.n_hidden)?;
        let placed = heap.place(plan)?;
        let (logps, lse) = (self.logps.slice_mut(), self.lse.slice_mut());
        gather_logps(heap, input, placed.view(), self.memory.lend(), logps, lse)?;
        heap.download(self.logps.slice())
    }

    /// Rows without a gradient are left out: their hidden rows cost nothing, and get a gradient of zeros.
    pub(super) fn backward(
        &mut self,
        heap: &H,
        input: HeadInput<'_, T>,
        context: &BatchContext,
        dlogps: &[f64],
        grads: HeadGrads<'_, T>,
    ) -> Result<(), DeviceError> {
        let plan = HeadPlan::new(&context.rows, |row| dlogps[row] != 0.0);
        self.memory.resize(heap, HeadBufferLens::of(&plan, input.shape, input.tiling), true)?;
        self.dlogps.upload(heap, dlogps)?;
        let placed = heap.place(plan)?;
        let row_values = (self.lse.slice(), self.dlogps.slice());
        gather_logps_backward(heap, input, placed.view(), self.memory.lend(), row_values, grads)
    }

    pub(super) fn divergences(
        &mut self,
        heap: &H,
        input: HeadInput<'_, T>,
        others: &[HeadInput<'_, T>],
        context: &BatchContext,
    ) -> Result<RowValues, DeviceError> {
        self.diverged.forward(heap, &mut self.memory, (input, others), context)
    }

    pub(super) fn divergences_backward(
        &mut self,
        heap: &H,
        heads: (HeadInput<'_, T>, &[HeadInput<'_, T>]),
        context: &BatchContext,
        d: RowGradients<'_>,
        grads: HeadGrads<'_, T>,
    ) -> Result<(), DeviceError> {
        self.diverged.backward(heap, &mut self.memory, heads, (context, d), grads)
    }
}
