//! The highest or lowest scores of every segment

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::error::{KernelError, check_offsets};

/// Which end of the order is kept
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The highest scores
    Highest,
    /// The lowest scores
    Lowest,
}

/// Flat indices of the `counts[i]` highest or lowest scores of every segment `i`, ascending
///
/// Equal to sorting each segment by score (stably) and keeping the first `counts[i]`, but in linear time.
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `scores` | `[n]` |
/// | `offsets` | `[n_segments + 1]`: segment `i` is `scores[offsets[i]..offsets[i + 1]]` |
/// | `counts` | `[n_segments]`, each at most the segment's length |
///
/// # Ties
/// Of equal scores the one at the lower position comes first; `-0.0` and `0.0` are equal. Infinities have their place in
/// the order.
///
/// # Errors
/// * [`KernelError::OffsetsEmpty`], [`OffsetsStart`](KernelError::OffsetsStart),
///   [`OffsetsDecrease`](KernelError::OffsetsDecrease) or [`OffsetsEnd`](KernelError::OffsetsEnd) where `offsets` do not
///   cover `scores`
/// * [`KernelError::SegmentEntries`] where `counts` has not one entry a segment
/// * [`KernelError::CountTooLarge`] where a count is above its segment's length
/// * [`KernelError::ScoreNotANumber`] for the first score that is not a number, wanted or not
/// * [`KernelError::TooMany`] where there are more than `u32::MAX` scores
///
/// # Examples
/// ```
/// use sepo_kernels::{Extreme, segment_topk};
///
/// let scores = [0.5, 2.0, 2.0, 2.0, -1.0, 7.0];
/// assert_eq!(segment_topk(&scores, &[0, 4, 6], &[2, 1], Extreme::Highest)?, [1, 2, 5]);
/// assert_eq!(segment_topk(&scores, &[0, 4, 6], &[2, 1], Extreme::Lowest)?, [0, 1, 4]);
/// # Ok::<(), sepo_kernels::KernelError>(())
/// ```
pub fn segment_topk(
    scores: &[f32],
    offsets: &[usize],
    counts: &[usize],
    extreme: Extreme,
) -> Result<Vec<u32>, KernelError> {
    check(scores, offsets, counts)?;
    Ok(cpu::segment_topk(scores, offsets, counts, extreme))
}

fn check(scores: &[f32], offsets: &[usize], counts: &[usize]) -> Result<(), KernelError> {
    let n_segments = check_offsets(offsets)?;
    let (end, n_values) = (offsets[n_segments], scores.len());
    if end != n_values {
        return Err(KernelError::OffsetsEnd { end, n_values });
    }
    if u32::try_from(n_values).is_err() {
        return Err(KernelError::TooMany { n_values });
    }
    if counts.len() != n_segments {
        return Err(KernelError::SegmentEntries { n_segments, n_entries: counts.len() });
    }
    for (segment, (bounds, &count)) in offsets.windows(2).zip(counts).enumerate() {
        let length = bounds[1] - bounds[0];
        if count > length {
            return Err(KernelError::CountTooLarge { segment, count, length });
        }
        let scores = &scores[bounds[0]..bounds[1]];
        if let Some(position) = scores.iter().position(|score| score.is_nan()) {
            return Err(KernelError::ScoreNotANumber { segment, position });
        }
    }
    Ok(())
}
