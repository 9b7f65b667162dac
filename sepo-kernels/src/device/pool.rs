//! What a driver does with memory that was freed

#![expect(unsafe_code, reason = "calls of the driver")]

use cudarc::driver::sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
use cudarc::driver::{CudaContext, sys};

/// Keeps what is freed for whoever allocates next
///
/// By itself a driver returns it to the system whenever a stream is waited for: a step frees the plans of its batch and waits
/// for log-probabilities, so that the next one would allocate anew. This is a matter of time alone: a driver that refuses is
/// left as it is.
pub(super) fn keep_freed(context: &CudaContext) {
    if !context.has_async_alloc() {
        return;
    }
    let mut pool = std::ptr::null_mut();
    // SAFETY: the driver writes a handle to `pool`; the device is the context's.
    let found = unsafe { sys::cuDeviceGetDefaultMemPool(&raw mut pool, context.cu_device()) };
    if found != sys::CUresult::CUDA_SUCCESS {
        return;
    }
    let mut bytes = u64::MAX;
    // SAFETY: the handle is the device's pool; of this attribute the driver reads a 64-bit number.
    let _ = unsafe {
        sys::cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, (&raw mut bytes).cast())
    };
}
