//! Biases on a device

use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, Slice, SliceMut, Source, blocks_of, n_parts,
    sum_partials,
};

pub(crate) static SOURCE: Source = Source {
    op: "bias",
    text: include_str!("bias.cu"),
    kernels: &["add_bias_f32", "add_bias_bf16", "bias_backward_f32", "bias_backward_bf16"],
};

fn n_rows(len: usize, d: usize) -> usize {
    let n_rows = len.checked_div(d).unwrap_or(0);
    assert_eq!(len, n_rows * d, "{len} values are not rows of {d}");
    n_rows
}

/// As [`add_bias`](crate::add_bias) on the CPU
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where `y` is not whole rows of `bias.len()` values.
#[expect(unsafe_code, reason = "a launch")]
pub fn add_bias<T: Float>(
    on: &impl Executor,
    mut y: SliceMut<'_, T>,
    bias: Slice<'_, T>,
) -> Result<(), DeviceError> {
    let d = bias.len();
    let n_rows = n_rows(y.len(), d);
    if n_rows == 0 {
        return Ok(());
    }
    const THREADS: u32 = 256;
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("add_bias_f32", "add_bias_bf16") },
        grid: [blocks_of(n_rows * d.div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::write(&mut y), // T *y
            Arg::read(bias),    // const T *bias
            Arg::count(n_rows), // u32 n_rows
            Arg::count(d),      // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; each thread touches its own values of `y` and as many of `bias`.
    unsafe { on.launch(&launch) }
}

/// As [`bias_backward`](crate::bias_backward) on the CPU
///
/// `partials` is scratch of at least [`partials_len`](crate::cuda::partials_len) values.
///
/// # Errors
/// Where a launch fails.
///
/// # Panics
/// Where `dy` is not whole rows of `dbias.len()` values, or scratch is short.
#[expect(unsafe_code, reason = "a launch")]
pub fn bias_backward<T: Float>(
    on: &impl Executor,
    dy: Slice<'_, T>,
    dbias: SliceMut<'_, f32>,
    partials: SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    let d = dbias.len();
    let n_rows = n_rows(dy.len(), d);
    if n_rows == 0 {
        return Ok(());
    }
    let mut partials = partials.range(0..n_parts(n_rows) * d);
    // Few columns are common: small blocks, so that there are many.
    let threads = threads(d, T::WIDTH);
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("bias_backward_f32", "bias_backward_bf16") },
        grid: [
            blocks_of(d.div_ceil(T::WIDTH), threads),
            u32::try_from(n_parts(n_rows)).expect("few parts"),
            1,
        ],
        block: threads,
        shared_bytes: 0,
        args: &[
            Arg::read(dy),             // const T *dy
            Arg::write(&mut partials), // float *partials
            Arg::count(n_rows),        // u32 n_rows
            Arg::count(d),             // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; a thread reads its columns of `dy` and writes them in its row of `partials`.
    unsafe { on.launch(&launch) }?;
    sum_partials(on, partials.as_slice(), dbias)
}

fn threads(d: usize, width: usize) -> u32 {
    crate::device::threads_for(d, width, 64)
}
