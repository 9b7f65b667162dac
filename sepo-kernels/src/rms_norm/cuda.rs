//! Root-mean-square normalisation on a device

use crate::Write;
use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, Slice, SliceMut, Source, n_parts, sum_partials,
    threads_for,
};
use crate::shape::assert_shape;

pub(crate) static SOURCE: Source = Source {
    op: "rms_norm",
    text: include_str!("rms_norm.cu"),
    kernels: &["rms_norm_f32", "rms_norm_bf16", "rms_norm_backward_f32", "rms_norm_backward_bf16"],
};

/// What is normalised
#[derive(Clone, Copy, Debug)]
pub struct RmsNormInput<'a, T> {
    /// `[n_rows, d]`
    pub x: Slice<'a, T>,
    /// `[d]`
    pub weight: Slice<'a, T>,
    /// added to the mean square
    pub eps: f32,
}

/// As [`rms_norm`](crate::rms_norm) on the CPU
///
/// # Errors
/// Where a launch fails.
///
/// # Panics
/// Where a slice does not have its shape: `y` is `[n_rows, d]`, `inv_rms` `[n_rows]`.
#[expect(unsafe_code, reason = "a launch")]
pub fn rms_norm<T: Float>(
    on: &impl Executor,
    input: RmsNormInput<'_, T>,
    mut y: SliceMut<'_, T>,
    mut inv_rms: SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    let RmsNormInput { x, weight, eps } = input;
    let (d, n_rows) = (weight.len(), inv_rms.len());
    assert_shape("`x`", x.len(), [n_rows, d]);
    assert_eq!(y.len(), x.len(), "`y` must be as long as `x`");
    if x.is_empty() {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("rms_norm_f32", "rms_norm_bf16") },
        grid: [u32::try_from(n_rows).expect("rows are below 2^31"), 1, 1],
        block: threads_for(d, T::WIDTH, 256),
        shared_bytes: 0,
        args: &[
            Arg::read(x),             // const T *x
            Arg::read(weight),        // const T *weight
            Arg::write(&mut y),       // T *y
            Arg::write(&mut inv_rms), // float *inv_rms
            Arg::count(d),            // u32 d
            Arg::F32(eps),            // float eps
        ],
    };
    // SAFETY: the list is the kernel's; block r touches row r of `x` and `y`, value r of `inv_rms` and all of
    // `weight`, which have the lengths checked above.
    unsafe { on.launch(&launch) }
}

/// What the backward pass reads
#[derive(Clone, Copy, Debug)]
pub struct RmsNormForward<'a, T> {
    /// what was normalised, `[n_rows, d]`
    pub x: Slice<'a, T>,
    /// `[d]`
    pub weight: Slice<'a, T>,
    /// `[n_rows]`
    pub inv_rms: Slice<'a, f32>,
}

/// Where the backward pass leaves its gradients
#[derive(Debug)]
pub struct RmsNormGrads<'a, T> {
    /// `[n_rows, d]`
    pub dx: SliceMut<'a, T>,
    /// `[d]`, added to
    pub dweight: SliceMut<'a, f32>,
    /// scratch of at least [`partials_len`](crate::cuda::partials_len) values
    pub partials: SliceMut<'a, f32>,
}

/// As [`rms_norm_backward`](crate::rms_norm_backward) on the CPU
///
/// # Errors
/// Where a launch fails.
///
/// # Panics
/// Where a slice does not have its shape, or a row is wider than 24 576 values.
#[expect(unsafe_code, reason = "a launch")]
pub fn rms_norm_backward<T: Float>(
    on: &impl Executor,
    forward: RmsNormForward<'_, T>,
    dy: Slice<'_, T>,
    grads: RmsNormGrads<'_, T>,
    write: Write,
) -> Result<(), DeviceError> {
    let RmsNormForward { x, weight, inv_rms } = forward;
    let RmsNormGrads { mut dx, dweight, partials } = grads;
    let (d, n_rows) = (weight.len(), inv_rms.len());
    assert_shape("`x`", x.len(), [n_rows, d]);
    assert_eq!((dy.len(), dx.len()), (x.len(), x.len()), "`dy` and `dx` must be as long as `x`");
    assert_eq!(dweight.len(), d, "`dweight` must be [{d}]");
    assert!(d <= 24_576, "{d} values a row need more shared memory than a block has");
    if x.is_empty() {
        return Ok(());
    }
    let mut partials = partials.range(0..n_parts(n_rows) * d);
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("rms_norm_backward_f32", "rms_norm_backward_bf16") },
        grid: [u32::try_from(n_parts(n_rows)).expect("few parts"), 1, 1],
        block: threads_for(d, T::WIDTH, 256),
        shared_bytes: u32::try_from(4 * d).expect("checked above"),
        args: &[
            Arg::read(x),                             // const T *x
            Arg::read(weight),                        // const T *weight
            Arg::read(inv_rms),                       // const float *inv_rms
            Arg::read(dy),                            // const T *dy
            Arg::write(&mut dx),                      // T *dx
            Arg::write(&mut partials),                // float *partials
            Arg::count(n_rows),                       // u32 n_rows
            Arg::count(d),                            // u32 d
            Arg::U32(u32::from(write == Write::Add)), // u32 add
        ],
    };
    // SAFETY: the list is the kernel's; every row of `x`, `dy` and `dx` is touched by one block, row b of `partials` by
    // block b; lengths were checked above.
    unsafe { on.launch(&launch) }?;
    sum_partials(on, partials.as_slice(), dweight)
}
