//! The output head on a device, a tile of logits at a time.

use std::fmt;

use sepo_kernels::HeadShape;
use sepo_kernels::cuda::{
    self, DeviceError, Float, HeadBufferLens, HeadBuffers, HeadGrads, HeadInput, HeadPlan, HeadTiling, Heap,
    HeapPlan, Slice, gather_logps, gather_logps_backward,
};

use super::distribution::Diverged;
use super::{Cuda, DeviceBuffer};
use crate::backend::HeadAt;
use crate::batch::BatchContext;

/// What the head leaves for its way back, and works in.
pub struct CudaHead<H: Heap, T: Float> {
    pub(super) memory: HeadMemory<H, T>,
    pub(super) logps: DeviceBuffer<H, f64>,
    pub(super) dlogps: DeviceBuffer<H, f64>,
    /// One a hidden row.
    lse: DeviceBuffer<H, f64>,
    pub(super) diverged: Diverged<H, T>,
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

/// What a chunk is worked on in.
pub(super) struct HeadMemory<H: Heap, T: Float> {
    packed: DeviceBuffer<H, T>,
    logits: DeviceBuffer<H, f32>,
    dlogits: DeviceBuffer<H, T>,
    dpacked: DeviceBuffer<H, f32>,
    max: DeviceBuffer<H, f32>,
    sum: DeviceBuffer<H, f64>,
}

impl<H: Heap, T: Float> Default for HeadMemory<H, T> {
    fn default() -> Self {
        Self {
            packed: DeviceBuffer::default(),
            logits: DeviceBuffer::default(),
            dlogits: DeviceBuffer::default(),
            dpacked: DeviceBuffer::default(),
            max: DeviceBuffer::default(),
            sum: DeviceBuffer::default(),
        }
    }
}

impl<H: Heap, T: Float> HeadMemory<H, T> {
    /// Sizes it; the backward pass has buffers that the forward pass leaves empty, and the other way round.
    pub(super) fn resize(
        &mut self,
        heap: &H,
        lens: HeadBufferLens,
        backward: bool,
    ) -> Result<(), DeviceError> {
        let (there, back) = if backward { (0, 1) } else { (1, 0) };
        self.packed.resize(heap, lens.packed)?;
        self.logits.resize(heap, lens.logits)?;
        self.dlogits.resize(heap, back * lens.logits)?;
        self.dpacked.resize(heap, back * lens.packed)?;
        self.max.resize(heap, there * lens.chunk)?;
        self.sum.resize(heap, there * lens.chunk)
    }

    pub(super) fn lend(&mut self) -> HeadBuffers<'_, T> {
        HeadBuffers {
            packed: self.packed.slice_mut(),
            logits: self.logits.slice_mut(),
            dlogits: self.dlogits.slice_mut(),
            dpacked: self.dpacked.slice_mut(),
            max: self.max.slice_mut(),
            sum: self.sum.slice_mut(),
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
}
