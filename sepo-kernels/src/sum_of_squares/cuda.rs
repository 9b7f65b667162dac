//! The squared norm on a device, and the factor that follows from it, without waiting for either

use crate::device::{Arg, DeviceError, Executor, Kernel, Launch, Slice, SliceMut, Source};

pub(crate) static SOURCE: Source = Source {
    op: "sum_of_squares",
    text: include_str!("sum_of_squares.cu"),
    kernels: &["sum_of_squares_f32", "clip_factor_f64"],
};

const THREADS: u32 = 256;

/// Shares that [`sum_of_squares`] leaves of `n` values: by the length alone
///
/// # Examples
/// ```
/// assert_eq!(sepo_kernels::cuda::sum_of_squares_len(1500), 2);
/// ```
#[must_use]
pub fn sum_of_squares_len(n: usize) -> usize {
    n.div_ceil(THREADS as usize * 4).clamp(1, 1024)
}

/// Shares of the sum of the squares of `x`: `partials`, of [`sum_of_squares_len`] values, add up to it
///
/// As [`sum_of_squares`](crate::sum_of_squares) on the CPU, in `f64`, the same bits every time.
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where `partials` does not have its length.
#[expect(unsafe_code, reason = "a launch")]
pub fn sum_of_squares(
    on: &impl Executor,
    x: Slice<'_, f32>,
    mut partials: SliceMut<'_, f64>,
) -> Result<(), DeviceError> {
    assert_eq!(partials.len(), sum_of_squares_len(x.len()), "one value a share");
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: "sum_of_squares_f32" },
        grid: [u32::try_from(partials.len()).expect("few shares"), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(x),              // const float *x
            Arg::write(&mut partials), // double *partials
            Arg::U64(x.len() as u64),  // u64 n
        ],
    };
    // SAFETY: the list is the kernel's; values below n are read, and block b writes value b of `partials`.
    unsafe { on.launch(&launch) }
}

/// What a mean and a clip make of a gradient's norm
#[derive(Debug)]
pub struct Clip<'a> {
    /// units that the gradient is a sum over
    pub n_units: f64,
    /// longest mean gradient that is left as it is
    pub max_norm: Option<f64>,
    /// norm of the mean gradient, one value
    pub norm: SliceMut<'a, f64>,
    /// what each value of the gradient is to be multiplied by, one value
    pub factor: SliceMut<'a, f32>,
}

/// The norm of a mean gradient and the factor of mean and clip, from the shares of [`sum_of_squares`]
///
/// `norm = sqrt(Σ partials) / n_units`, `factor = min(1, max_norm / (norm + 1e-6)) / n_units`; a norm that is not finite makes
/// a factor that is not a number, with which [`adamw`](crate::cuda::adamw) changes nothing.
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where `norm` or `factor` is not one value.
#[expect(unsafe_code, reason = "a launch")]
pub fn clip_factor(on: &impl Executor, partials: Slice<'_, f64>, clip: Clip<'_>) -> Result<(), DeviceError> {
    let Clip { n_units, max_norm, mut norm, mut factor } = clip;
    assert_eq!((norm.len(), factor.len()), (1, 1), "there is one norm and one factor");
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: "clip_factor_f64" },
        grid: [1, 1, 1],
        block: 32,
        shared_bytes: 0,
        args: &[
            Arg::read(partials),                         // const double *partials
            Arg::write(&mut norm),                       // double *norm
            Arg::write(&mut factor),                     // float *factor
            Arg::count(partials.len()),                  // u32 n_parts
            Arg::F64(n_units),                           // double n_units
            Arg::F64(max_norm.unwrap_or(f64::INFINITY)), // double max_norm
        ],
    };
    // SAFETY: the list is the kernel's; it reads all shares and writes one value each.
    unsafe { on.launch(&launch) }
}
