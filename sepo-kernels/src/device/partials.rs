//! Gradients that are sums over rows: each block leaves its share, and a second kernel adds the shares in their order

use super::{Arg, DeviceError, Executor, Kernel, Launch, Slice, SliceMut, Source, blocks_of};
use crate::shape::n_values;

pub(crate) static SOURCE: Source =
    Source { op: "sum_partials", text: include_str!("sum_partials.cu"), kernels: &["sum_partials_f32"] };

/// Shares at most: enough blocks for the largest GPU, and few enough that they are little beside the rows
const MOST_PARTS: usize = 256;

/// Into how many shares the sum over `n_rows` rows is cut: by the shape alone, so that no result depends on the device
pub(crate) fn n_parts(n_rows: usize) -> usize {
    n_rows.min(MOST_PARTS)
}

/// Values of scratch that a backward pass over `n_rows` rows of `d` values needs for each gradient of `d` values
///
/// # Examples
/// ```
/// assert_eq!(sepo_kernels::cuda::partials_len(3, 8), 24);
/// assert_eq!(sepo_kernels::cuda::partials_len(100_000, 8), 2048);
/// ```
#[must_use]
pub fn partials_len(n_rows: usize, d: usize) -> usize {
    n_values([n_parts(n_rows), d])
}

/// Adds the columns of `partials`, `[n_parts, d]`, to `total`, `[d]`
#[expect(unsafe_code, reason = "a launch")]
pub(crate) fn sum_partials(
    on: &impl Executor,
    partials: Slice<'_, f32>,
    mut total: SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    let d = total.len();
    if d == 0 {
        return Ok(());
    }
    const THREADS: u32 = 64; // few columns are common: more blocks, so that more of the GPU reads
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: "sum_partials_f32" },
        grid: [blocks_of(d, THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(partials),            // const float *partials
            Arg::write(&mut total),         // float *total
            Arg::count(partials.len() / d), // u32 n_parts
            Arg::count(d),                  // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; a thread reads its column of `n_parts` whole rows of `partials` and adds to one
    // value of `total`, both as long as their slices say.
    unsafe { on.launch(&launch) }
}
