//! Numbers in device memory that grow to the largest batch and are used again.

use std::fmt;

use sepo_kernels::cuda::{DeviceError, Element, Heap, HeapMemory, Slice, SliceMut};

/// `len` numbers in memory that may hold more.
pub struct DeviceBuffer<H: Heap, T: Element> {
    memory: Option<H::Memory<T>>,
    capacity: usize,
    len: usize,
}

impl<H: Heap, T: Element> fmt::Debug for DeviceBuffer<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<H: Heap, T: Element> Default for DeviceBuffer<H, T> {
    fn default() -> Self {
        Self { memory: None, capacity: 0, len: 0 }
    }
}

impl<H: Heap, T: Element> DeviceBuffer<H, T> {
    /// A buffer that holds `values`.
    ///
    /// # Errors
    ///
    /// Where there is not enough memory, or the copy fails.
    pub fn of(heap: &H, values: &[T]) -> Result<Self, DeviceError> {
        let mut buffer = Self::default();
        buffer.upload(heap, values)?;
        Ok(buffer)
    }

    /// Numbers in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Room for `len` numbers that are nobody's; allocates where there is not as much yet.
    ///
    /// # Errors
    ///
    /// Where there is not enough memory.
    pub fn resize(&mut self, heap: &H, len: usize) -> Result<(), DeviceError> {
        if self.memory.is_none() || self.capacity < len {
            // What is too small goes first: there may not be room for both.
            self.memory = None;
            self.memory = Some(heap.allocate(len)?);
            self.capacity = len;
        }
        self.len = len;
        Ok(())
    }

    /// Becomes `values`.
    ///
    /// # Errors
    ///
    /// As [`DeviceBuffer::of`].
    pub fn upload(&mut self, heap: &H, values: &[T]) -> Result<(), DeviceError> {
        self.resize(heap, values.len())?;
        heap.upload(values, self.slice_mut())
    }

    /// Becomes so many zeros.
    ///
    /// # Errors
    ///
    /// As [`DeviceBuffer::of`].
    pub fn zeros(&mut self, heap: &H, len: usize) -> Result<(), DeviceError> {
        self.resize(heap, len)?;
        heap.zero(self.slice_mut())
    }

    /// To read.
    ///
    /// # Panics
    ///
    /// Where nothing was ever put into it.
    #[must_use]
    pub fn slice(&self) -> Slice<'_, T> {
        self.memory.as_ref().expect("a buffer is written before it is read").slice().range(0..self.len)
    }

    /// To write.
    ///
    /// # Panics
    ///
    /// As for reading.
    #[must_use]
    pub fn slice_mut(&mut self) -> SliceMut<'_, T> {
        let len = self.len;
        self.memory.as_mut().expect("a buffer is sized before it is written").slice_mut().range(0..len)
    }
}
