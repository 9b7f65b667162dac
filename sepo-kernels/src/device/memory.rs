//! Memory of a device

#![expect(unsafe_code, reason = "bytes of numbers, and addresses")]

use super::error::failed;
use super::{DeviceError, Element, ExecutorId, Slice, SliceMut};
use crate::shape::n_values;
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DevicePtrMut};
use std::marker::PhantomData;
use std::sync::Arc;

/// `len` numbers in the memory of a device; freed, in the order of its stream, when dropped
#[derive(Debug)]
pub struct DeviceMemory<T> {
    bytes: CudaSlice<u8>,
    stream: Arc<CudaStream>,
    owner: ExecutorId,
    len: usize,
    numbers: PhantomData<T>,
}

impl<T: Element> DeviceMemory<T> {
    /// Memory whose content is nobody's
    pub(super) fn unset(
        (stream, owner): (&Arc<CudaStream>, ExecutorId),
        len: usize,
    ) -> Result<Self, DeviceError> {
        // The driver refuses to allocate nothing.
        let n_bytes = n_values([len, T::KIND.bytes()]).max(1);
        // SAFETY: bytes of any content are numbers of an `Element`.
        let bytes = unsafe { stream.alloc::<u8>(n_bytes) }.map_err(failed("allocating memory"))?;
        Ok(Self { bytes, stream: stream.clone(), owner, len, numbers: PhantomData })
    }

    /// Numbers that it holds
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of it, to read
    #[must_use]
    pub fn slice(&self) -> Slice<'_, T> {
        let (address, _) = self.bytes.device_ptr(&self.stream);
        // SAFETY: the allocation has as many numbers, is aligned for any of them, and lives as long as `self`. Only its
        // owner launches with it, in the one stream in which it is also copied and freed.
        unsafe { Slice::from_raw(self.owner, address, self.len) }
    }

    /// All of it, to write
    #[must_use]
    pub fn slice_mut(&mut self) -> SliceMut<'_, T> {
        let stream = self.stream.clone();
        let (address, _) = self.bytes.device_ptr_mut(&stream);
        // SAFETY: as above, and `self` is borrowed for as long.
        unsafe { SliceMut::from_raw(self.owner, address, self.len) }
    }
}
