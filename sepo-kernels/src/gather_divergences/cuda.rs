//! The fused head with divergences on a device: the walk of `gather_logps`, with two tiles of logits

use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, Placed, Slice, SliceMut, Source, blocks_of,
    threads_for,
};
use crate::embedding::cuda::pick_rows;
use crate::gather_logps::HeadShape;
use crate::gather_logps::cuda::spread_rows;
use crate::gather_logps::input::{HeadBuffers, HeadInput};
use crate::gather_logps::plan::{Groups, HeadPlan};
use crate::shape::{assert_shape, n_values};
use std::ops::Range;

pub(crate) static SOURCE: Source = Source {
    op: "gather_divergences",
    text: include_str!("gather_divergences.cu"),
    kernels: &[
        "divergence_f32",
        "finish_divergences_f64",
        "divergence_gradient_f32",
        "divergence_gradient_bf16",
    ],
};

const THREADS: u32 = 256;

/// Device memory that the head works in, beside that of [`HeadBuffers`], of which `max` and `sum` are twice as long here
#[derive(Debug)]
pub struct DivergenceBuffers<'a, T> {
    /// of the policy
    pub head: HeadBuffers<'a, T>,
    /// packed hidden rows of one of the others
    pub packed_other: SliceMut<'a, T>,
    /// a tile of the others' logits, as long as the policy's
    pub logits_other: SliceMut<'a, f32>,
    /// running differences of a chunk, two a row; only for the forward pass
    pub difference: SliceMut<'a, f64>,
}

/// What [`gather_divergences`] writes
#[derive(Debug)]
pub struct DivergenceOutput<'a> {
    /// log-probability of each row's target
    pub logps: SliceMut<'a, f64>,
    /// `KL(other ‖ policy)` of each row
    pub forward_kl: SliceMut<'a, f64>,
    /// `KL(policy ‖ other)` of each row
    pub reverse_kl: SliceMut<'a, f64>,
    /// `[n_hidden, 2]`: log-sum-exp of the policy's logits and of the others'
    pub lse: SliceMut<'a, f64>,
}

/// What goes into the backward pass; one value a row each, but for `lse`
#[derive(Clone, Copy, Debug)]
pub struct DivergenceGrads<'a> {
    /// what the forward pass wrote, `[n_hidden, 2]`
    pub lse: Slice<'a, f64>,
    /// what the forward pass wrote
    pub reverse_kl: Slice<'a, f64>,
    /// gradient of `logps`
    pub dlogps: Slice<'a, f64>,
    /// gradient of `forward_kl`
    pub dforward: Slice<'a, f64>,
    /// gradient of `reverse_kl`
    pub dreverse: Slice<'a, f64>,
}

/// Logits of all others for the hidden rows of `groups`, added up; there is at least one other
fn other_logits<T: Float>(
    on: &impl Executor,
    others: &[HeadInput<'_, T>],
    groups: Groups<'_>,
    tile: &Range<usize>,
    packed: &mut SliceMut<'_, T>,
    logits: &mut SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    for (i, other) in others.iter().enumerate() {
        let d_model = other.shape.d_model;
        let mut packed = packed.reborrow().range(0..n_values([groups.len(), d_model]));
        pick_rows(on, other.hidden, groups.hidden_rows, d_model, packed.reborrow())?;
        other.tile_logits(on, packed.as_slice(), tile, logits, i > 0)?;
    }
    Ok(())
}

fn check<T: Float>(policy: &HeadInput<'_, T>, others: &[HeadInput<'_, T>]) {
    policy.check();
    assert!(!others.is_empty(), "a divergence is from something");
    for other in others {
        other.check();
        assert_eq!(other.shape.n_hidden, policy.shape.n_hidden, "all must have the same hidden rows");
        assert_eq!(other.shape.vocab, policy.shape.vocab, "all must have the same vocabulary");
        assert_eq!(other.tiling, policy.tiling, "all must be tiled alike");
    }
}

/// Log-probabilities and both divergences, as [`gather_divergences`](crate::gather_divergences) on the CPU
///
/// There is at least one other; all have the policy's hidden rows, vocabulary and tiling.
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape or a buffer is short.
#[expect(unsafe_code, reason = "launches")]
pub fn gather_divergences<T: Float>(
    on: &impl Executor,
    policy: HeadInput<'_, T>,
    others: &[HeadInput<'_, T>],
    placed: Placed<'_, HeadPlan>,
    buffers: DivergenceBuffers<'_, T>,
    output: DivergenceOutput<'_>,
) -> Result<(), DeviceError> {
    check(&policy, others);
    let plan = placed.plan();
    plan.check(policy.shape);
    let HeadShape { n_hidden, d_model, vocab } = policy.shape;
    let DivergenceOutput { mut logps, mut forward_kl, mut reverse_kl, mut lse } = output;
    let n_rows = plan.n_rows();
    assert_eq!(
        (logps.len(), forward_kl.len(), reverse_kl.len()),
        (n_rows, n_rows, n_rows),
        "one value a row"
    );
    assert_shape("`lse`", lse.len(), [n_hidden, 2]);
    let DivergenceBuffers { head, mut packed_other, mut logits_other, mut difference } = buffers;
    let HeadBuffers { mut packed, mut logits, mut max, mut sum, .. } = head;
    let stride = policy.tiling.stride(vocab);
    for chunk in policy.tiling.chunks(plan.n_groups()) {
        let groups = Groups::new(placed, chunk);
        let n = groups.len();
        let mut packed = packed.reborrow().range(0..n_values([n, d_model]));
        let mut logits = logits.reborrow().range(0..n_values([n, stride]));
        let mut logits_other = logits_other.reborrow().range(0..n_values([n, stride]));
        let mut max = max.reborrow().range(0..2 * n);
        let mut sum = sum.reborrow().range(0..2 * n);
        let mut difference = difference.reborrow().range(0..2 * n);
        pick_rows(on, policy.hidden, groups.hidden_rows, d_model, packed.reborrow())?;
        for tile in policy.tiling.tiles(vocab) {
            policy.tile_logits(on, packed.as_slice(), &tile, &mut logits, false)?;
            other_logits(on, others, groups, &tile, &mut packed_other, &mut logits_other)?;
            let launch = Launch {
                kernel: Kernel { source: &SOURCE, name: "divergence_f32" },
                grid: [u32::try_from(n).expect("chunks are small"), 1, 1],
                block: threads_for(tile.len(), f32::WIDTH, THREADS),
                shared_bytes: 0,
                args: &[
                    Arg::read(logits.as_slice()),         // const float *a
                    Arg::read(logits_other.as_slice()),   // const float *b
                    Arg::read(groups.first_rows),         // const u32 *first_rows
                    Arg::read(groups.end_rows),           // const u32 *end_rows
                    Arg::read(groups.targets),            // const u32 *targets
                    Arg::write(&mut max),                 // float *max
                    Arg::write(&mut sum),                 // double *sum
                    Arg::write(&mut difference),          // double *difference
                    Arg::write(&mut logps),               // double *target_logits
                    Arg::count(tile.len()),               // u32 width
                    Arg::count(stride),                   // u32 stride
                    Arg::count(tile.start),               // u32 first_token
                    Arg::U32(u32::from(tile.start == 0)), // u32 begin
                ],
            };
            // SAFETY: the list is the kernel's; block g reads row g of both tiles and writes values 2 g and 2 g + 1 of the
            // moments, and the rows of its group, which the plan, whose words these are, has from a checked list.
            unsafe { on.launch(&launch) }?;
        }
        let launch = Launch {
            kernel: Kernel { source: &SOURCE, name: "finish_divergences_f64" },
            grid: [blocks_of(n, THREADS), 1, 1],
            block: THREADS,
            shared_bytes: 0,
            args: &[
                Arg::read(max.as_slice()),           // const float *max
                Arg::read(sum.as_slice()),           // const double *sum
                Arg::read(difference.as_slice()),    // const double *difference
                Arg::read(groups.hidden_rows.words), // const u32 *hidden_rows
                Arg::read(groups.first_rows),        // const u32 *first_rows
                Arg::read(groups.end_rows),          // const u32 *end_rows
                Arg::write(&mut lse),                // double *lse
                Arg::write(&mut logps),              // double *logps
                Arg::write(&mut forward_kl),         // double *forward_kl
                Arg::write(&mut reverse_kl),         // double *reverse_kl
                Arg::count(n),                       // u32 n
            ],
        };
        // SAFETY: the list is the kernel's; thread g touches the moments of group g, its hidden row's values and its rows'.
        unsafe { on.launch(&launch) }?;
    }
    Ok(())
}

/// The gradients of [`gather_divergences`] with respect to the policy, as
/// [`gather_divergences_backward`](crate::gather_divergences_backward) on the CPU
///
/// `dhidden` is overwritten for hidden rows in the plan and left as it is for others; `dlm_head` is added to.
///
/// # Errors
/// Where a launch or a product fails.
///
/// # Panics
/// Where a slice does not have its shape or a buffer is short.
#[expect(unsafe_code, reason = "launches")]
#[expect(
    clippy::too_many_arguments,
    reason = "both models, the plan, buffers, what the forward pass made, two gradients"
)]
pub fn gather_divergences_backward<T: Float>(
    on: &impl Executor,
    policy: HeadInput<'_, T>,
    others: &[HeadInput<'_, T>],
    placed: Placed<'_, HeadPlan>,
    buffers: DivergenceBuffers<'_, T>,
    d: DivergenceGrads<'_>,
    mut dhidden: SliceMut<'_, T>,
    mut dlm_head: SliceMut<'_, f32>,
) -> Result<(), DeviceError> {
    check(&policy, others);
    let plan = placed.plan();
    plan.check(policy.shape);
    let HeadShape { n_hidden, d_model, vocab } = policy.shape;
    for values in [d.reverse_kl, d.dlogps, d.dforward, d.dreverse] {
        assert_eq!(values.len(), plan.n_rows(), "one value a row");
    }
    assert_shape("`lse`", d.lse.len(), [n_hidden, 2]);
    assert_eq!(dhidden.len(), policy.hidden.len(), "`dhidden` must be as long as `hidden`");
    assert_eq!(dlm_head.len(), policy.lm_head.len(), "`dlm_head` must be as long as `lm_head`");
    let DivergenceBuffers { head, mut packed_other, mut logits_other, .. } = buffers;
    let HeadBuffers { mut packed, mut logits, mut dlogits, mut dpacked, .. } = head;
    let stride = policy.tiling.stride(vocab);
    for chunk in policy.tiling.chunks(plan.n_groups()) {
        let groups = Groups::new(placed, chunk);
        let n = groups.len();
        let mut packed = packed.reborrow().range(0..n_values([n, d_model]));
        let mut logits = logits.reborrow().range(0..n_values([n, stride]));
        let mut logits_other = logits_other.reborrow().range(0..n_values([n, stride]));
        let mut dlogits = dlogits.reborrow().range(0..n_values([n, stride]));
        let mut dpacked = dpacked.reborrow().range(0..n_values([n, d_model]));
        pick_rows(on, policy.hidden, groups.hidden_rows, d_model, packed.reborrow())?;
        for tile in policy.tiling.tiles(vocab) {
            policy.tile_logits(on, packed.as_slice(), &tile, &mut logits, false)?;
            other_logits(on, others, groups, &tile, &mut packed_other, &mut logits_other)?;
            let block = threads_for(tile.len(), T::WIDTH, THREADS);
            let name = T::pick("divergence_gradient_f32", "divergence_gradient_bf16");
            let launch = Launch {
                kernel: Kernel { source: &SOURCE, name },
                grid: [
                    blocks_of(tile.len().div_ceil(T::WIDTH), block),
                    u32::try_from(n).expect("chunks are small"),
                    1,
                ],
                block,
                shared_bytes: 0,
                args: &[
                    Arg::read(logits.as_slice()),        // const float *a
                    Arg::read(logits_other.as_slice()),  // const float *b
                    Arg::read(groups.hidden_rows.words), // const u32 *hidden_rows
                    Arg::read(groups.first_rows),        // const u32 *first_rows
                    Arg::read(groups.end_rows),          // const u32 *end_rows
                    Arg::read(groups.targets),           // const u32 *targets
                    Arg::read(d.lse),                    // const double *lse
                    Arg::read(d.reverse_kl),             // const double *reverse_kl
                    Arg::read(d.dlogps),                 // const double *dlogps
                    Arg::read(d.dforward),               // const double *dforward
                    Arg::read(d.dreverse),               // const double *dreverse
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
            policy.tile_gradients(on, operands, &tile, &mut dpacked, &mut dlm_head)?;
        }
        spread_rows(on, dpacked.as_slice(), groups.hidden_rows, d_model, &mut dhidden)?;
    }
    Ok(())
}
