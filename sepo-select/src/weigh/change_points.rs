//! Where the mean of token rewards changes.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::WeighError;
use super::error::check;

/// How readily [`change_points`] cuts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChangePoints {
    /// What a segment costs, in units of the noise's variance times `ln n`; above 0.
    pub penalty: f64,
}

impl Default for ChangePoints {
    /// 2: one for the place and one for the mean, as the Bayesian information criterion counts.
    fn default() -> Self {
        Self { penalty: 2.0 }
    }
}

impl ChangePoints {
    /// Nothing, where the settings can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: the penalty is not above 0.
    pub fn check(&self) -> Result<(), WeighError> {
        check("penalty", self.penalty, self.penalty > 0.0, "it must be above 0")
    }
}

/// The segments between which the mean of the scores changes: all tokens, in order.
///
/// ASR (2411.00809) cuts "where the reward changes" and is not known to say how. **This rule is ours**: the partition
/// that minimises `Σ_segments ( Σ (s − mean)² + penalty · σ² · ln n )`, with the noise `σ²` estimated from neighbours as
/// half the mean of `(s_{t+1} − s_t)²`. Found exactly by dynamic programming; ends that can never again be best are
/// dropped on the way (PELT), so that long responses with many changes take about linear time.
///
/// # Ties
///
/// The partition with the longest last segment.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::{ChangePoints, change_points};
/// let scores = [0.1, -0.1, 0.0, 0.1, 5.0, 5.1, 4.9, 5.0];
/// assert_eq!(change_points(&scores, ChangePoints { penalty: 0.5 }), [0..4, 4..8]);
/// assert_eq!(change_points(&[1.0; 3], ChangePoints::default()), [0..3]);
/// ```
#[must_use]
pub fn change_points(scores: &[f64], config: ChangePoints) -> Vec<Range<usize>> {
    let n = scores.len();
    if n == 0 {
        return Vec::new();
    }
    let steps: f64 = scores.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
    let noise = steps / (2 * n.saturating_sub(1).max(1)) as f64;
    let price = config.penalty * noise * (n as f64).ln();
    let cost = SegmentCost::new(scores);

    // `best[end]` is the least cost of the first `end` tokens, its last segment begins at `start[end]`.
    let mut best = vec![0.0; n + 1];
    let mut start = vec![0; n + 1];
    let mut open: Vec<usize> = Vec::new();
    for end in 1..=n {
        open.push(end - 1);
        let at = |&from: &usize| best[from] + cost.of(from..end);
        // Ascending, so the first of equals is the longest segment.
        let (from, least) = open
            .iter()
            .map(|from| (*from, at(from)))
            .fold((0, f64::INFINITY), |least, next| if next.1 < least.1 { next } else { least });
        // What costs more without another segment than the best with one can never win again. Rounding is given room.
        let bound = least + price + 1e-9 * (least.abs() + price);
        open = open.iter().filter(|from| at(from) <= bound).copied().collect();
        best[end] = least + price;
        start[end] = from;
    }

    let mut segments = Vec::new();
    let mut end = n;
    while end > 0 {
        segments.push(start[end]..end);
        end = start[end];
    }
    segments.reverse();
    segments
}

/// Sums up to each token, from which the squared deviation of any segment follows at once.
struct SegmentCost {
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl SegmentCost {
    fn new(scores: &[f64]) -> Self {
        // About their mean, so that the difference of two large sums is not all rounding.
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let running = |term: fn(f64) -> f64| {
            let mut sum = 0.0;
            std::iter::once(0.0)
                .chain(scores.iter().map(move |s| {
                    sum += term(s - mean);
                    sum
                }))
                .collect()
        };
        Self { sums: running(|s| s), squares: running(|s| s * s) }
    }

    fn of(&self, Range { start, end }: Range<usize>) -> f64 {
        let sum = self.sums[end] - self.sums[start];
        (self.squares[end] - self.squares[start] - sum * sum / (end - start) as f64).max(0.0)
    }
}

/// Which tokens lie in a segment whose mean score is above 0.
///
/// ASR keeps the segments "whose reward sign agrees with the label": hand in the scores of a chosen response as they are,
/// and those of a rejected one with their sign changed. A mean of 0 agrees with neither.
///
/// # Panics
///
/// Where a segment reaches beyond the scores, as those of [`change_points`] never do.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::agreeing_segments;
/// assert_eq!(agreeing_segments(&[-1.0, 3.0, -1.0], &[0..2, 2..3]), [true, true, false]);
/// ```
#[must_use]
pub fn agreeing_segments(scores: &[f64], segments: &[Range<usize>]) -> Vec<bool> {
    let mut mask = vec![false; scores.len()];
    for segment in segments {
        let agrees = scores[segment.clone()].iter().sum::<f64>() > 0.0;
        mask[segment.clone()].fill(agrees);
    }
    mask
}
