//! Gaussian error linear units on a device

use super::Gelu;
use crate::device::{Arg, DeviceError, Executor, Float, Kernel, Launch, Slice, SliceMut, Source, blocks_of};

pub(crate) static SOURCE: Source = Source {
    op: "gelu",
    text: include_str!("gelu.cu"),
    kernels: &[
        "gelu_exact_f32",
        "gelu_exact_bf16",
        "gelu_tanh_f32",
        "gelu_tanh_bf16",
        "gelu_exact_backward_f32",
        "gelu_exact_backward_bf16",
        "gelu_tanh_backward_f32",
        "gelu_tanh_backward_bf16",
    ],
};

const THREADS: u32 = 256;

/// As [`gelu`](crate::gelu) on the CPU
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where the lengths differ.
#[expect(unsafe_code, reason = "a launch")]
pub fn gelu<T: Float>(
    on: &impl Executor,
    x: Slice<'_, T>,
    mut y: SliceMut<'_, T>,
    kind: Gelu,
) -> Result<(), DeviceError> {
    assert_eq!(y.len(), x.len(), "`y` must be as long as `x`");
    if x.is_empty() {
        return Ok(());
    }
    let name = match kind {
        Gelu::Exact => T::pick("gelu_exact_f32", "gelu_exact_bf16"),
        Gelu::Tanh => T::pick("gelu_tanh_f32", "gelu_tanh_bf16"),
    };
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name },
        grid: [blocks_of(x.len().div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(x),             // const T *x
            Arg::write(&mut y),       // T *y
            Arg::U64(x.len() as u64), // u64 n
        ],
    };
    // SAFETY: the list is the kernel's; each thread touches its own values of `x` and `y`, which are of one length.
    unsafe { on.launch(&launch) }
}

/// As [`gelu_backward`](crate::gelu_backward) on the CPU
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where the lengths differ.
#[expect(unsafe_code, reason = "a launch")]
pub fn gelu_backward<T: Float>(
    on: &impl Executor,
    x: Slice<'_, T>,
    dy: Slice<'_, T>,
    mut dx: SliceMut<'_, T>,
    kind: Gelu,
) -> Result<(), DeviceError> {
    assert_eq!((dy.len(), dx.len()), (x.len(), x.len()), "`dy` and `dx` must be as long as `x`");
    if x.is_empty() {
        return Ok(());
    }
    let name = match kind {
        Gelu::Exact => T::pick("gelu_exact_backward_f32", "gelu_exact_backward_bf16"),
        Gelu::Tanh => T::pick("gelu_tanh_backward_f32", "gelu_tanh_backward_bf16"),
    };
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name },
        grid: [blocks_of(x.len().div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(x),             // const T *x
            Arg::read(dy),            // const T *dy
            Arg::write(&mut dx),      // T *dx
            Arg::U64(x.len() as u64), // u64 n
        ],
    };
    // SAFETY: the list is the kernel's; each thread touches its own values of three arrays of one length.
    unsafe { on.launch(&launch) }
}
