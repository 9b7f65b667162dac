//! Distances of distributions on a device
//!
//! ```text
//! for CHUNK hidden rows
//!     for TILE tokens:  logits of both, running maxima and sums
//!     for TILE tokens:  logits of both, Σ |p - q|
//! ```

use crate::device::{Arg, DeviceError, Executor, Float, Kernel, Launch, SliceMut, Source, threads_for};
use crate::gather_logps::input::HeadInput;
use crate::log_collisions::cuda::RowSumBuffers;

pub(crate) static SOURCE: Source = Source {
    op: "distribution_distances",
    text: include_str!("distribution_distances.cu"),
    kernels: &["distances_f32"],
};

/// `Σ_v |p[v] - q[v]|` at every hidden row, as [`distribution_distances`](crate::distribution_distances) on the CPU
///
/// Each model has buffers of its own; `distances` has one value a hidden row.
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape, a buffer is short, or models differ in hidden rows, tokens or tiling.
#[expect(unsafe_code, reason = "a launch")]
pub fn distribution_distances<T: Float>(
    on: &impl Executor,
    models: [HeadInput<'_, T>; 2],
    [mut first, mut second]: [RowSumBuffers<'_>; 2],
    mut distances: SliceMut<'_, f64>,
) -> Result<(), DeviceError> {
    let [one, other] = &models;
    one.check();
    other.check();
    assert_eq!(one.shape.n_hidden, other.shape.n_hidden, "two models at the same positions");
    assert_eq!(one.shape.vocab, other.shape.vocab, "two models with one vocabulary");
    assert_eq!(one.tiling, other.tiling, "both must be tiled alike");
    let (n_hidden, vocab, stride) = (one.shape.n_hidden, one.shape.vocab, one.tiling.stride(one.shape.vocab));
    assert_eq!(distances.len(), n_hidden, "`distances` must have one value a hidden row");
    for rows in one.tiling.chunks(n_hidden) {
        let (mut a, mut b) = (first.first(rows.len(), stride), second.first(rows.len(), stride));
        for tile in one.tiling.tiles(vocab) {
            a.add_tile(on, one, (&rows, &tile), None)?;
            b.add_tile(on, other, (&rows, &tile), None)?;
        }
        let mut distances = distances.reborrow().range(rows.clone());
        for tile in one.tiling.tiles(vocab) {
            a.make_logits(on, one, (&rows, &tile))?;
            b.make_logits(on, other, (&rows, &tile))?;
            let launch = Launch {
                kernel: Kernel { source: &SOURCE, name: "distances_f32" },
                grid: [u32::try_from(rows.len()).expect("chunks are small"), 1, 1],
                block: threads_for(tile.len(), 1, 256),
                shared_bytes: 0,
                args: &[
                    Arg::read(a.logits.as_slice()),       // const float *a
                    Arg::read(b.logits.as_slice()),       // const float *b
                    Arg::read(a.max.as_slice()),          // const float *max_a
                    Arg::read(a.sum.as_slice()),          // const double *sum_a
                    Arg::read(b.max.as_slice()),          // const float *max_b
                    Arg::read(b.sum.as_slice()),          // const double *sum_b
                    Arg::write(&mut distances),           // double *distances
                    Arg::count(tile.len()),               // u32 width
                    Arg::count(stride),                   // u32 stride
                    Arg::U32(u32::from(tile.start == 0)), // u32 begin
                ],
            };
            // SAFETY: the list is the kernel's; block h reads row h of both tiles and value h of the sums, and writes value
            // h of the distances, all of which are as many as rows.
            unsafe { on.launch(&launch) }?;
        }
    }
    Ok(())
}
