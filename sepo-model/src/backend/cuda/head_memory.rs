//! What a chunk of the output head is worked on in.

use sepo_kernels::cuda::{DeviceError, Float, HeadBufferLens, HeadBuffers, Heap};

use super::DeviceBuffer;

/// Buffers of a chunk of hidden rows and a tile of the vocabulary.
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
