//! Rows times factors on a device

use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, Slice, SliceMut, Source, threads_for,
};
use crate::shape::assert_shape;

pub(crate) static SOURCE: Source = Source {
    op: "scale_rows",
    text: include_str!("scale_rows.cu"),
    kernels: &["scale_rows_f32", "scale_rows_bf16"],
};

/// As [`scale_rows`](crate::scale_rows) on the CPU
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where `x` is not as many rows of `d` values as there are factors.
#[expect(unsafe_code, reason = "a launch")]
pub fn scale_rows<T: Float>(
    on: &impl Executor,
    mut x: SliceMut<'_, T>,
    d: usize,
    factors: Slice<'_, f32>,
) -> Result<(), DeviceError> {
    assert_shape("`x`", x.len(), [factors.len(), d]);
    if x.is_empty() {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("scale_rows_f32", "scale_rows_bf16") },
        grid: [u32::try_from(factors.len()).expect("rows are below 2^32"), 1, 1],
        block: threads_for(d, T::WIDTH, 256),
        shared_bytes: 0,
        args: &[
            Arg::write(&mut x), // T *x
            Arg::read(factors), // const float *factors
            Arg::count(d),      // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; block r touches row r of `x` and reads factor r.
    unsafe { on.launch(&launch) }
}
