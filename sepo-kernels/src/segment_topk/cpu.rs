//! Segment-wise selection on the CPU

use super::Extreme;
use rayon::prelude::*;

/// Scores are numbers, and every count fits its segment: `super::check` saw to it
pub(super) fn segment_topk(
    scores: &[f32],
    offsets: &[usize],
    counts: &[usize],
    extreme: Extreme,
) -> Vec<u32> {
    let segments: Vec<Vec<u32>> = offsets
        .par_windows(2)
        .zip(counts)
        .with_min_len(16)
        .map(|(bounds, &count)| select(scores, bounds[0]..bounds[1], count, extreme))
        .collect();
    segments.concat()
}

#[expect(clippy::cast_possible_truncation, reason = "the number of scores was checked to fit u32")]
fn select(scores: &[f32], range: std::ops::Range<usize>, count: usize, extreme: Extreme) -> Vec<u32> {
    let mut indices: Vec<u32> = (range.start as u32..range.end as u32).collect();
    if count == indices.len() {
        return indices;
    }
    if count == 0 {
        return Vec::new();
    }
    let score = |index: &u32| {
        let score = scores[*index as usize];
        match extreme {
            Extreme::Highest => -score,
            Extreme::Lowest => score,
        }
    };
    // A total order, since no score is not-a-number: ties, zeros of either sign included, go to the lower index.
    indices.select_nth_unstable_by(count - 1, |a, b| {
        score(a).partial_cmp(&score(b)).map_or_else(|| a.cmp(b), |order| order.then(a.cmp(b)))
    });
    indices.truncate(count);
    indices.sort_unstable();
    indices
}
