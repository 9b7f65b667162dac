//! A GPU's memory, as every executor has it: allocated and copied in the order of its stream

#![expect(unsafe_code, reason = "copies from and to addresses")]

use super::error::failed;
use super::memory::DeviceMemory;
use super::placed::PlanMemory;
use super::{Device, DeviceError, Element, Heap, HeapMemory, HeapPlan, Placed, Plan, Slice, SliceMut};
use cudarc::driver::result;
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
        // returns, as the stream is waited for: a copy from memory that the driver has pinned may go on behind the call.
        unsafe { result::memcpy_htod_async(to.address(), values, self.stream.cu_stream()) }
            .map_err(failed("copying to the device"))?;
        self.synchronize()
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
