//! The fused head on a device
//!
//! ```text
//! for CHUNK hidden rows that some row reads          (packed side by side)
//!     for TILE tokens of the vocabulary              (a tile of logits: 32 MB, which stays in L2)
//!         logits = hidden lm_headᵀ                   cuBLASLt, f32 sums
//!         forward:  running maximum and Σ exp        one block a row
//!         backward: dlogits, and two products        cuBLASLt
//! ```

use super::HeadShape;
use super::input::{HeadBuffers, HeadInput, HeadTiling};
use super::plan::{Groups, HeadPlan};
use crate::device::{
    Arg, DeviceError, Executor, Float, Indices, Kernel, Launch, Placed, Slice, SliceMut, Source, blocks_of,
    threads_for,
};
use crate::embedding::cuda::pick_rows;
use crate::shape::{assert_shape, n_values};

pub(crate) static SOURCE: Source = Source {
    op: "gather_logps",
    text: include_str!("gather_logps.cu"),
    kernels: &[
        "logsumexp_f32",
        "finish_logps_f64",
        "logits_to_gradient_f32",
        "logits_to_gradient_bf16",
        "spread_rows_f32",
        "spread_rows_bf16",
    ],
};

const THREADS: u32 = 256;
/// The log-probability of every row's target, as [`gather_logps`](crate::gather_logps) on the CPU
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `logps` | one value a row of the plan, written where its hidden row is in the plan |
/// | `lse` | `[n_hidden]`, written for hidden rows in the plan |
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape or a buffer is short.
#[expect(unsafe_code, reason = "launches")]
pub fn gather_logps<T: Float>(
    on: &impl Executor,
    input: HeadInput<'_, T>,
    placed: Placed<'_, HeadPlan>,
    buffers: HeadBuffers<'_, T>,
    mut logps: SliceMut<'_, f64>,
    mut lse: SliceMut<'_, f64>,
) -> Result<(), DeviceError> {
    input.check();
    let plan = placed.plan();
    plan.check(input.shape);
    let HeadShape { n_hidden, d_model, vocab } = input.shape;
    assert_eq!((logps.len(), lse.len()), (plan.n_rows(), n_hidden), "`logps` and `lse`");
    let HeadBuffers { mut packed, mut logits, mut max, mut sum, .. } = buffers;
    for chunk in input.tiling.chunks(plan.n_groups()) {
        let groups = Groups::new(placed, chunk);
        let n = groups.len();
        let mut packed = packed.reborrow().range(0..n_values([n, d_model]));
        let mut logits = logits.reborrow().range(0..n_values([n, input.tiling.stride(vocab)]));
        let mut max = max.reborrow().range(0..n);
        let mut sum = sum.reborrow().range(0..n);
        pick_rows(on, input.hidden, groups.hidden_rows, d_model, packed.reborrow())?;
        for tile in input.tiling.tiles(vocab) {
            input.tile_logits(on, packed.as_slice(), &tile, &mut logits, false)?;
            let launch = Launch {
                kernel: Kernel { source: &SOURCE, name: "logsumexp_f32" },
                grid: [u32::try_from(n).expect("chunks are small"), 1, 1],
                block: threads_for(tile.len(), f32::WIDTH, THREADS),
                shared_bytes: 0,
                args: &[
                    Arg::read(logits.as_slice()),           // const float *logits
                    Arg::read(groups.first_rows),           // const u32 *first_rows
                    Arg::read(groups.end_rows),             // const u32 *end_rows
                    Arg::read(groups.targets),              // const u32 *targets
                    Arg::write(&mut max),                   // float *max
                    Arg::write(&mut sum),                   // double *sum
                    Arg::write(&mut logps),                 // double *target_logits
                    Arg::count(tile.len()),                 // u32 width
                    Arg::count(input.tiling.stride(vocab)), // u32 stride
                    Arg::count(tile.start),                 // u32 first_token
                    Arg::U32(u32::from(tile.start == 0)),   // u32 begin
                ],
            };
            // SAFETY: the list is the kernel's; block g reads row g of the tile and writes value g of `max` and `sum`, and
            // the rows of its group, which the plan, whose words these are, has from a checked list.
            unsafe { on.launch(&launch) }?;
        }
        let launch = Launch {
            kernel: Kernel { source: &SOURCE, name: "finish_logps_f64" },
            grid: [blocks_of(n, THREADS), 1, 1],
            block: THREADS,
            shared_bytes: 0,
            args: &[
                Arg::read(max.as_slice()),           // const float *max
                Arg::read(sum.as_slice()),           // const double *sum
                Arg::read(groups.hidden_rows.words), // const u32 *hidden_rows
                Arg::read(groups.first_rows),        // const u32 *first_rows
                Arg::read(groups.end_rows),          // const u32 *end_rows
                Arg::write(&mut lse),                // double *lse
                Arg::write(&mut logps),              // double *logps
                Arg::count(n),                       // u32 n
            ],
        };
        // SAFETY: the list is the kernel's; thread g touches value g of the sums, its hidden row's value and its rows'.
        unsafe { on.launch(&launch) }?;
    }
    Ok(())
}

/// The logits of every hidden row; for the few rows of a decoding step, since all of them exist at once
///
/// `logits` is `[n_hidden, stride]`, where `stride` is the vocabulary rounded up to a multiple of 8; what stands behind a
/// row's logits is nobody's.
///
/// # Errors
/// Where the product fails.
///
/// # Panics
/// Where a slice does not have its shape.
pub fn logits<T: Float>(
    on: &impl Executor,
    input: HeadInput<'_, T>,
    mut logits: SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    input.check();
    let HeadShape { n_hidden, vocab, .. } = input.shape;
    let tile = vocab.next_multiple_of(8);
    assert_shape("`logits`", logits.len(), [n_hidden, tile]);
    if logits.is_empty() {
        return Ok(());
    }
    let whole = HeadInput { tiling: HeadTiling { chunk: n_hidden, tile }, ..input };
    whole.tile_logits(on, whole.hidden, &(0..vocab), &mut logits, false)
}

/// Where [`gather_logps_backward`] leaves its gradients
#[derive(Debug)]
pub struct HeadGrads<'a, T> {
    /// `[n_hidden, d_model]`: rows that are in the plan are overwritten, the others left as they are
    pub dhidden: SliceMut<'a, T>,
    /// `[vocab, d_model]`, added to
    pub dlm_head: SliceMut<'a, f32>,
}

/// The gradients of [`gather_logps`], as [`gather_logps_backward`](crate::gather_logps_backward) on the CPU
///
/// Logits are computed again, a tile at a time. `dlogps`, one value a row, is what the loss asks for; `lse` is the forward
/// pass's. The plan may have fewer hidden rows than the forward pass's: those whose rows have a gradient.
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape or a buffer is short.
#[expect(unsafe_code, reason = "launches")]
pub fn gather_logps_backward<T: Float>(
    on: &impl Executor,
    input: HeadInput<'_, T>,
    placed: Placed<'_, HeadPlan>,
    buffers: HeadBuffers<'_, T>,
    (lse, dlogps): (Slice<'_, f64>, Slice<'_, f64>),
    grads: HeadGrads<'_, T>,
) -> Result<(), DeviceError> {
    input.check();
    let plan = placed.plan();
    plan.check(input.shape);
    let HeadShape { n_hidden, d_model, vocab } = input.shape;
    assert_eq!((dlogps.len(), lse.len()), (plan.n_rows(), n_hidden), "`dlogps` and `lse`");
    let HeadGrads { mut dhidden, mut dlm_head } = grads;
    assert_eq!(dhidden.len(), input.hidden.len(), "`dhidden` must be as long as `hidden`");
    assert_eq!(dlm_head.len(), input.lm_head.len(), "`dlm_head` must be as long as `lm_head`");
    let HeadBuffers { mut packed, mut logits, mut dlogits, mut dpacked, .. } = buffers;
    let stride = input.tiling.stride(vocab);
    for chunk in input.tiling.chunks(plan.n_groups()) {
        let groups = Groups::new(placed, chunk);
        let n = groups.len();
        let mut packed = packed.reborrow().range(0..n_values([n, d_model]));
        let mut logits = logits.reborrow().range(0..n_values([n, stride]));
        let mut dlogits = dlogits.reborrow().range(0..n_values([n, stride]));
        let mut dpacked = dpacked.reborrow().range(0..n_values([n, d_model]));
        pick_rows(on, input.hidden, groups.hidden_rows, d_model, packed.reborrow())?;
        for tile in input.tiling.tiles(vocab) {
            input.tile_logits(on, packed.as_slice(), &tile, &mut logits, false)?;
            let block = threads_for(tile.len(), T::WIDTH, THREADS);
            let launch = Launch {
                kernel: Kernel {
                    source: &SOURCE,
                    name: T::pick("logits_to_gradient_f32", "logits_to_gradient_bf16"),
                },
                grid: [
                    blocks_of(tile.len().div_ceil(T::WIDTH), block),
                    u32::try_from(n).expect("chunks are small"),
                    1,
                ],
                block,
                shared_bytes: 0,
                args: &[
                    Arg::read(logits.as_slice()),        // const float *logits
                    Arg::read(groups.hidden_rows.words), // const u32 *hidden_rows
                    Arg::read(groups.first_rows),        // const u32 *first_rows
                    Arg::read(groups.end_rows),          // const u32 *end_rows
                    Arg::read(groups.targets),           // const u32 *targets
                    Arg::read(lse),                      // const double *lse
                    Arg::read(dlogps),                   // const double *dlogps
                    Arg::write(&mut dlogits),            // T *dlogits
                    Arg::count(tile.len()),              // u32 width
                    Arg::count(stride),                  // u32 stride
                    Arg::count(tile.start),              // u32 first_token
                ],
            };
            // SAFETY: the list is the kernel's; a thread reads and writes its columns of row g of the tiles, and reads what
            // belongs to its group, which the plan, whose words these are, has from a checked list.
            unsafe { on.launch(&launch) }?;
            let operands = (packed.as_slice(), dlogits.as_slice());
            input.tile_gradients(on, operands, &tile, &mut dpacked, &mut dlm_head)?;
        }
        spread_rows(on, dpacked.as_slice(), groups.hidden_rows, d_model, &mut dhidden)?;
    }
    Ok(())
}

/// Copies gradients of packed hidden rows to their places
#[expect(unsafe_code, reason = "a launch")]
pub(crate) fn spread_rows<T: Float>(
    on: &impl Executor,
    dpacked: Slice<'_, f32>,
    hidden_rows: Indices<'_>,
    d_model: usize,
    dhidden: &mut SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    let n = hidden_rows.words.len();
    assert_shape("`dpacked`", dpacked.len(), [n, d_model]);
    assert!(
        dhidden.len() >= n_values([hidden_rows.end, d_model]),
        "`dhidden` must have the plan's hidden rows"
    );
    if dpacked.is_empty() {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("spread_rows_f32", "spread_rows_bf16") },
        grid: [u32::try_from(n).expect("chunks are small"), 1, 1],
        block: threads_for(d_model, T::WIDTH, THREADS),
        shared_bytes: 0,
        args: &[
            Arg::read(dpacked),           // const float *dpacked
            Arg::read(hidden_rows.words), // const u32 *hidden_rows
            Arg::write(dhidden),          // T *dhidden
            Arg::count(d_model),          // u32 d
        ],
    };
    // SAFETY: the list is the kernel's; groups have different hidden rows, all of which `dhidden` has.
    unsafe { on.launch(&launch) }
}
