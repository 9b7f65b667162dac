//! Layer normalisation on a device

use crate::Write;
use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, Slice, SliceMut, Source, n_parts, sum_partials,
    threads_for,
};
use crate::shape::assert_shape;

pub(crate) static SOURCE: Source = Source {
    op: "layer_norm",
    text: include_str!("layer_norm.cu"),
    kernels: &["layer_norm_f32", "layer_norm_bf16", "layer_norm_backward_f32", "layer_norm_backward_bf16"],
};

/// What is normalised
#[derive(Clone, Copy, Debug)]
pub struct LayerNormInput<'a, T> {
    /// `[n_rows, d]`
    pub x: Slice<'a, T>,
    /// `[d]`
    pub weight: Slice<'a, T>,
    /// `[d]`
    pub bias: Slice<'a, T>,
    /// added to the variance
    pub eps: f32,
}

/// What the forward pass writes
#[derive(Debug)]
pub struct LayerNormOutput<'a, T> {
    /// `[n_rows, d]`
    pub y: SliceMut<'a, T>,
    /// `[n_rows]`
    pub mean: SliceMut<'a, f32>,
    /// `[n_rows]`
    pub inv_std: SliceMut<'a, f32>,
}

/// As [`layer_norm`](crate::layer_norm) on the CPU
///
/// # Errors
/// Where a launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
#[expect(unsafe_code, reason = "a launch")]
pub fn layer_norm<T: Float>(
    on: &impl Executor,
    input: LayerNormInput<'_, T>,
    output: LayerNormOutput<'_, T>,
) -> Result<(), DeviceError> {
    let LayerNormInput { x, weight, bias, eps } = input;
    let LayerNormOutput { mut y, mut mean, mut inv_std } = output;
    let (d, n_rows) = (weight.len(), mean.len());
    assert_shape("`x`", x.len(), [n_rows, d]);
    assert_eq!(bias.len(), d, "`bias` must be as long as `weight`");
    assert_eq!(inv_std.len(), n_rows, "statistics must have one value a row");
    assert_eq!(y.len(), x.len(), "`y` must be as long as `x`");
    if x.is_empty() {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("layer_norm_f32", "layer_norm_bf16") },
        grid: [u32::try_from(n_rows).expect("rows are below 2^31"), 1, 1],
        block: threads_for(d, T::WIDTH, 256),
        shared_bytes: 0,
        args: &[
            Arg::read(x),             // const T *x
            Arg::read(weight),        // const T *weight
            Arg::read(bias),          // const T *bias
            Arg::write(&mut y),       // T *y
            Arg::write(&mut mean),    // float *mean
            Arg::write(&mut inv_std), // float *inv_std
            Arg::count(d),            // u32 d
            Arg::F32(eps),            // float eps
        ],
    };
    // SAFETY: the list is the kernel's; block r touches row r of `x` and `y`, value r of the statistics and all of
    // `weight` and `bias`, which have the lengths checked above.
    unsafe { on.launch(&launch) }
}

/// What the backward pass reads
#[derive(Clone, Copy, Debug)]
pub struct LayerNormForward<'a, T> {
    /// what was normalised, `[n_rows, d]`
    pub x: Slice<'a, T>,
    /// `[d]`
    pub weight: Slice<'a, T>,
    /// `[n_rows]`
    pub mean: Slice<'a, f32>,
    /// `[n_rows]`
    pub inv_std: Slice<'a, f32>,
}

/// Where the backward pass leaves its gradients
#[derive(Debug)]
pub struct LayerNormGrads<'a, T> {
    /// `[n_rows, d]`
    pub dx: SliceMut<'a, T>,
    /// `[d]`, added to
    pub dweight: SliceMut<'a, f32>,
    /// `[d]`, added to
    pub dbias: SliceMut<'a, f32>,
    /// scratch of at least twice [`partials_len`](crate::cuda::partials_len) values
    pub partials: SliceMut<'a, f32>,
}

/// As [`layer_norm_backward`](crate::layer_norm_backward) on the CPU
///
/// # Errors
/// Where a launch fails.
///
/// # Panics
/// Where a slice does not have its shape, or a row is wider than 12 288 values.
#[expect(unsafe_code, reason = "a launch")]
pub fn layer_norm_backward<T: Float>(
    on: &impl Executor,
    forward: LayerNormForward<'_, T>,
    dy: Slice<'_, T>,
    grads: LayerNormGrads<'_, T>,
    write: Write,
) -> Result<(), DeviceError> {
    let LayerNormForward { x, weight, mean, inv_std } = forward;
    let LayerNormGrads { mut dx, dweight, dbias, partials } = grads;
    let (d, n_rows) = (weight.len(), mean.len());
    assert_shape("`x`", x.len(), [n_rows, d]);
    assert_eq!(inv_std.len(), n_rows, "statistics must have one value a row");
    assert_eq!((dy.len(), dx.len()), (x.len(), x.len()), "`dy` and `dx` must be as long as `x`");
    assert_eq!((dweight.len(), dbias.len()), (d, d), "`dweight` and `dbias` must be [{d}]");
    assert!(d <= 12_288, "{d} values a row need more shared memory than a block has");
    if x.is_empty() {
        return Ok(());
    }
    let len = n_parts(n_rows) * d;
    let (mut dweights, mut dbiases) = partials.range(0..2 * len).split_at(len);
    let launch = Launch {
        kernel: Kernel {
            source: &SOURCE,
            name: T::pick("layer_norm_backward_f32", "layer_norm_backward_bf16"),
        },
        grid: [u32::try_from(n_parts(n_rows)).expect("few parts"), 1, 1],
        block: threads_for(d, T::WIDTH, 256),
        shared_bytes: u32::try_from(8 * d).expect("checked above"),
        args: &[
            Arg::read(x),                             // const T *x
            Arg::read(weight),                        // const T *weight
            Arg::read(mean),                          // const float *mean
            Arg::read(inv_std),                       // const float *inv_std
            Arg::read(dy),                            // const T *dy
            Arg::write(&mut dx),                      // T *dx
            Arg::write(&mut dweights),                // float *dweights
            Arg::write(&mut dbiases),                 // float *dbiases
            Arg::count(n_rows),                       // u32 n_rows
            Arg::count(d),                            // u32 d
            Arg::U32(u32::from(write == Write::Add)), // u32 add
        ],
    };
    // SAFETY: the list is the kernel's; every row of `x`, `dy` and `dx` is touched by one block, row b of both shares by
    // block b; lengths were checked above.
    unsafe { on.launch(&launch) }?;
    sum_partials(on, dweights.as_slice(), dweight)?;
    sum_partials(on, dbiases.as_slice(), dbias)
}
