//! Segment-wise selection on a device

use super::Extreme;
use crate::device::{Arg, DeviceError, Executor, Kernel, Launch, Placed, Plan, Slice, SliceMut, Source};
use crate::error::{KernelError, check_offsets};

pub(crate) static SOURCE: Source =
    Source { op: "segment_topk", text: include_str!("segment_topk.cu"), kernels: &["segment_topk_f32"] };

/// Scores of a segment that a block keeps in shared memory
const MOST_CACHED: u32 = 4096;

/// Which scores form a segment and how many of each are wanted, checked; placed on the device once a batch
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopkPlan {
    // where each segment starts, and the end; where its selected ones go, and the end
    words: Vec<u32>,
    n_segments: usize,
    n_scores: usize,
    n_selected: usize,
}

impl TopkPlan {
    /// The plan of a selection of `counts[i]` of the scores `offsets[i]..offsets[i + 1]`
    ///
    /// # Errors
    /// Those of [`segment_topk`](crate::segment_topk) that do not depend on the scores.
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::cuda::TopkPlan;
    ///
    /// assert_eq!(TopkPlan::new(&[0, 4, 6], &[2, 1])?.n_selected(), 3);
    /// # Ok::<(), sepo_kernels::KernelError>(())
    /// ```
    pub fn new(offsets: &[usize], counts: &[usize]) -> Result<Self, KernelError> {
        let n_segments = check_offsets(offsets)?;
        let n_scores = offsets[n_segments];
        if counts.len() != n_segments {
            return Err(KernelError::SegmentEntries { n_segments, n_entries: counts.len() });
        }
        let word = |n: usize| u32::try_from(n).map_err(|_| KernelError::TooMany { n_values: n });
        let mut words: Vec<u32> = offsets.iter().map(|&offset| word(offset)).collect::<Result<_, _>>()?;
        let mut n_selected = 0;
        words.push(0);
        for (segment, (bounds, &count)) in offsets.windows(2).zip(counts).enumerate() {
            let length = bounds[1] - bounds[0];
            if count > length {
                return Err(KernelError::CountTooLarge { segment, count, length });
            }
            n_selected += count;
            words.push(word(n_selected)?);
        }
        Ok(Self { words, n_segments, n_scores, n_selected })
    }

    /// Scores wanted of all segments together
    #[must_use]
    pub fn n_selected(&self) -> usize {
        self.n_selected
    }

    /// The error that `first_nan`, read back from the device, means
    ///
    /// # Errors
    /// [`KernelError::ScoreNotANumber`] where it names a score.
    pub fn check_nan(&self, first_nan: u32) -> Result<(), KernelError> {
        if first_nan as usize >= self.n_scores {
            return Ok(());
        }
        let segment = self.words[..self.n_segments].partition_point(|&start| start <= first_nan) - 1;
        let position = (first_nan - self.words[segment]) as usize;
        Err(KernelError::ScoreNotANumber { segment, position })
    }
}

impl Plan for TopkPlan {
    fn words(&self) -> &[u32] {
        &self.words
    }
}

/// As [`segment_topk`](crate::segment_topk) on the CPU, the same indices whatever the ties
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `scores` | as many as the plan's offsets cover |
/// | `selected` | [`TopkPlan::n_selected`] flat indices, ascending |
/// | `first_nan` | one value, at first `u32::MAX`; lowered to the index of a score that is not a number, for [`TopkPlan::check_nan`] |
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
#[expect(unsafe_code, reason = "a launch")]
pub fn segment_topk(
    on: &impl Executor,
    placed: Placed<'_, TopkPlan>,
    scores: Slice<'_, f32>,
    extreme: Extreme,
    mut selected: SliceMut<'_, u32>,
    mut first_nan: SliceMut<'_, u32>,
) -> Result<(), DeviceError> {
    let (plan, words) = (placed.plan(), placed.words());
    assert_eq!(scores.len(), plan.n_scores, "the plan is for {} scores", plan.n_scores);
    assert_eq!(selected.len(), plan.n_selected, "the plan selects {}", plan.n_selected);
    assert_eq!(first_nan.len(), 1, "there is one first score that is not a number");
    if plan.n_segments == 0 {
        return Ok(());
    }
    let (starts, out_starts) = (0..plan.n_segments + 1, plan.n_segments + 1..words.len());
    let flip = match extreme {
        Extreme::Highest => u32::MAX,
        Extreme::Lowest => 0,
    };
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: "segment_topk_f32" },
        grid: [u32::try_from(plan.n_segments).expect("segments are below 2^31"), 1, 1],
        block: 128,
        shared_bytes: 4 * MOST_CACHED,
        args: &[
            Arg::read(scores),                  // const float *scores
            Arg::read(words.range(starts)),     // const u32 *starts
            Arg::read(words.range(out_starts)), // const u32 *out_starts
            Arg::write(&mut selected),          // u32 *selected
            Arg::write(&mut first_nan),         // u32 *first_nan
            Arg::U32(flip),                     // u32 flip
        ],
    };
    // SAFETY: the list is the kernel's; the words are the plan's, whose starts ascend to the number of scores, no segment is
    // asked for more than it has, and each block writes the part of `selected` that the plan gives it.
    unsafe { on.launch(&launch) }
}
