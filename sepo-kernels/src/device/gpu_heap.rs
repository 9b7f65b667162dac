//! A GPU's memory, as every executor has it: allocated and copied in the order of its stream

#![expect(unsafe_code, reason = "copies from and to addresses")]

use super::error::failed;
use super::memory::DeviceMemory;
use super::placed::PlanMemory;
use super::{Device, DeviceError, Element, Heap, HeapMemory, HeapPlan, Placed, Plan, Slice, SliceMut};
use cudarc::driver::sys::CUpointer_attribute_enum::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
use cudarc::driver::{result, sys};
use std::fmt::Debug;

impl<T: Element> HeapMemory<T> for DeviceMemory<T> {
    fn slice(&self) -> Slice<'_, T> {
        self.slice()
    }

    fn slice_mut(&mut self) -> SliceMut<'_, T> {
        self.slice_mut()
    }
}

impl<P: Plan + Debug> HeapPlan<P> for PlanMemory<P> {
    fn view(&self) -> Placed<'_, P> {
        self.view()
    }
}

impl Device {
    /// What raw calls of the driver need first
    fn bind(&self) -> Result<(), DeviceError> {
        self.stream.context().bind_to_thread().map_err(failed("taking the device"))
    }

    fn check_owner<T: Element>(&self, slice: Slice<'_, T>) {
        assert_eq!(slice.owner(), super::Executor::id(self), "memory of another executor");
    }
}

/// Whether the driver may know of this memory, as of what was allocated or pinned with it: a copy may then go on behind the
/// call that asks for it
///
/// A copy from other memory is asynchronous to the device alone: "The function will return once the pageable buffer has been
/// copied to the staging memory" (CUDA Driver API, API synchronization behavior).
fn is_known<T>(values: &[T]) -> bool {
    let mut kind = 0_u32;
    let address = values.as_ptr().addr() as u64;
    // SAFETY: of this attribute the driver writes 32 bits; it looks the address up and does not read there.
    let found = unsafe {
        sys::cuPointerGetAttribute((&raw mut kind).cast(), CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address)
    };
    found != sys::CUresult::CUDA_ERROR_INVALID_VALUE
}

impl Heap for Device {
    type Memory<T: Element> = DeviceMemory<T>;
    type Plan<P: Plan + Debug> = PlanMemory<P>;

    fn allocate<T: Element>(&self, n: usize) -> Result<DeviceMemory<T>, DeviceError> {
        DeviceMemory::unset((&self.stream, super::Executor::id(self)), n)
    }

    fn place<P: Plan + Debug>(&self, plan: P) -> Result<PlanMemory<P>, DeviceError> {
        Self::place(self, plan)
    }

    fn upload<T: Element>(&self, values: &[T], to: SliceMut<'_, T>) -> Result<(), DeviceError> {
        self.check_owner(to.as_slice());
        assert_eq!(values.len(), to.len(), "as many values as there is memory for");
        if values.is_empty() {
            return Ok(());
        }
        self.bind()?;
        // SAFETY: the view is memory of this device, borrowed to be written, with as many values. They are read before this
        // returns: from memory that it does not know, the driver copies them within the call; for what it knows, the stream
        // is waited for.
        unsafe { result::memcpy_htod_async(to.address(), values, self.stream.cu_stream()) }
            .map_err(failed("copying to the device"))?;
        if is_known(values) { self.synchronize() } else { Ok(()) }
    }

    fn download<T: Element>(&self, from: Slice<'_, T>) -> Result<Vec<T>, DeviceError> {
        self.check_owner(from);
        let mut values = vec![T::default(); from.len()];
        if values.is_empty() {
            return Ok(values);
        }
        self.bind()?;
        // SAFETY: the view is memory of this device with as many values, any bytes of which are an `Element`; `values` is not
        // touched before the stream is waited for.
        unsafe { result::memcpy_dtoh_async(&mut values, from.address(), self.stream.cu_stream()) }
            .map_err(failed("copying from the device"))?;
        self.synchronize()?;
        Ok(values)
    }

    fn copy<T: Element>(&self, from: Slice<'_, T>, to: SliceMut<'_, T>) -> Result<(), DeviceError> {
        self.check_owner(from);
        self.check_owner(to.as_slice());
        assert_eq!(from.len(), to.len(), "as many values as there is memory for");
        if from.is_empty() {
            return Ok(());
        }
        self.bind()?;
        let n_bytes = from.len() * T::KIND.bytes();
        // SAFETY: both views are memory of this device with as many bytes, one borrowed to be read and one to be written; the
        // copy is in the order of the stream.
        unsafe { result::memcpy_dtod_async(to.address(), from.address(), n_bytes, self.stream.cu_stream()) }
            .map_err(failed("copying on the device"))
    }

    fn zero<T: Element>(&self, to: SliceMut<'_, T>) -> Result<(), DeviceError> {
        self.check_owner(to.as_slice());
        if to.is_empty() {
            return Ok(());
        }
        self.bind()?;
        let n_bytes = to.len() * T::KIND.bytes();
        // SAFETY: the view is memory of this device with as many bytes, borrowed to be written; zeros are an `Element`.
        unsafe { result::memset_d8_async(to.address(), 0, n_bytes, self.stream.cu_stream()) }
            .map_err(failed("zeroing memory"))
    }
}
