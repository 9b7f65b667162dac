//! The gated activation on a device

use super::check;
use crate::device::{Arg, DeviceError, Executor, Float, Kernel, Launch, Slice, SliceMut, Source, blocks_of};

pub(crate) static SOURCE: Source = Source {
    op: "swiglu",
    text: include_str!("swiglu.cu"),
    kernels: &["swiglu_f32", "swiglu_bf16", "swiglu_backward_f32", "swiglu_backward_bf16"],
};

const THREADS: u32 = 256;

/// As [`swiglu`](crate::swiglu) on the CPU
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
#[expect(unsafe_code, reason = "a launch")]
pub fn swiglu<T: Float>(
    on: &impl Executor,
    gate_up: Slice<'_, T>,
    mut out: SliceMut<'_, T>,
    d: usize,
) -> Result<(), DeviceError> {
    let n_rows = check(gate_up.len(), out.len(), d);
    if n_rows == 0 {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("swiglu_f32", "swiglu_bf16") },
        grid: [blocks_of(n_rows * d.div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(gate_up),   // const T *gate_up
            Arg::write(&mut out), // T *out
            Arg::count(n_rows),   // u32 n_rows
            Arg::count(d),        // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; the lengths are those checked above, and each thread writes values of `out` of its own.
    unsafe { on.launch(&launch) }
}

/// As [`swiglu_backward`](crate::swiglu_backward) on the CPU
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
#[expect(unsafe_code, reason = "a launch")]
pub fn swiglu_backward<T: Float>(
    on: &impl Executor,
    gate_up: Slice<'_, T>,
    dout: Slice<'_, T>,
    mut dgate_up: SliceMut<'_, T>,
    d: usize,
) -> Result<(), DeviceError> {
    let n_rows = check(gate_up.len(), dout.len(), d);
    assert_eq!(dgate_up.len(), gate_up.len(), "`dgate_up` must be as long as `gate_up`");
    if n_rows == 0 {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("swiglu_backward_f32", "swiglu_backward_bf16") },
        grid: [blocks_of(n_rows * d.div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(gate_up),        // const T *gate_up
            Arg::read(dout),           // const T *dout
            Arg::write(&mut dgate_up), // T *dgate_up
            Arg::count(n_rows),        // u32 n_rows
            Arg::count(d),             // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; the lengths are those checked above, and each thread writes values of `dgate_up` of its
    // own.
    unsafe { on.launch(&launch) }
}
