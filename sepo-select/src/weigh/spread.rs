//! Transforms of a response's scores among themselves.

use serde::{Deserialize, Serialize};

use super::WeighError;
use super::error::check;

/// The ends of [`rank_linear`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RankLinear {
    /// Weight of the lowest score.
    pub low: f64,
    /// Weight of the highest; not below `low`.
    pub high: f64,
}

impl Default for RankLinear {
    /// From 0.7 to 1.3, the released code's.
    fn default() -> Self {
        Self { low: 0.7, high: 1.3 }
    }
}

impl RankLinear {
    /// Nothing, where the settings can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: `low` is above `high`, or one is not finite.
    pub fn check(&self) -> Result<(), WeighError> {
        check("low", self.low, true, "it must be finite")?;
        check("high", self.high, self.low <= self.high, "it must be finite and not below `low`")
    }
}

/// Weights that rise linearly with the rank: `low + (high − low) · rank / (n − 1)`, rank 0 for the lowest of `n` scores.
///
/// `rank_based` of TIS-DPO's released code, which ranks rejected tokens on `−s` and gives the closing end-of-sequence
/// token the weight 0.
///
/// # Ties
///
/// Equal scores share the mean of their ranks; -0 equals 0. (The released code looks ranks up by score, so that all of
/// them get the last one's.) A single score has the weight midway.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::{RankLinear, rank_linear};
/// let ends = RankLinear { low: 0.0, high: 3.0 };
/// assert_eq!(rank_linear(&[5.0, -1.0, 7.0, 6.0], ends), [1.0, 0.0, 3.0, 2.0]);
/// assert_eq!(rank_linear(&[5.0, 5.0], ends), [1.5, 1.5]);
/// ```
#[must_use]
pub fn rank_linear(scores: &[f64], ends: RankLinear) -> Vec<f64> {
    let RankLinear { low, high } = ends;
    let n = scores.len();
    let mut weights = vec![f64::midpoint(low, high); n];
    if n < 2 {
        return weights;
    }
    let mut order: Vec<usize> = (0..n).collect();
    // Adding 0 makes -0 a 0.
    order.sort_unstable_by(|&a, &b| (scores[a] + 0.0).total_cmp(&(scores[b] + 0.0)));
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let rank = f64::midpoint(first as f64, (first + group.len() - 1) as f64);
        for &token in group {
            weights[token] = low + (high - low) * (rank / (n - 1) as f64);
        }
        first += group.len();
    }
    weights
}

/// `(s − min) / (max − min)`: from 0 for the lowest score to 1 for the highest.
///
/// # Ties
///
/// Where all scores are equal none stands out, and all have the weight 1.
///
/// # Examples
///
/// ```
/// assert_eq!(sepo_select::weigh::min_max(&[-1.0, 0.0, 1.0]), [0.0, 0.5, 1.0]);
/// assert_eq!(sepo_select::weigh::min_max(&[2.0, 2.0]), [1.0, 1.0]);
/// ```
#[must_use]
pub fn min_max(scores: &[f64]) -> Vec<f64> {
    let (low, high) =
        scores.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), s| (low.min(*s), high.max(*s)));
    // Halves, so that no range of finite numbers overflows.
    let range = high / 2.0 - low / 2.0;
    if range > 0.0 {
        scores.iter().map(|s| (s / 2.0 - low / 2.0) / range).collect()
    } else {
        vec![1.0; scores.len()]
    }
}

/// Weights scaled so that they sum to `total`; unchanged where they sum to 0 or less, which no factor would mend.
///
/// With `total = n` the mean weight is 1, and what a method does beside a uniform weight is not a change of β.
///
/// # Examples
///
/// ```
/// let mut weights = [1.0, 3.0];
/// sepo_select::weigh::renormalize(&mut weights, 2.0);
/// assert_eq!(weights, [0.5, 1.5]);
/// ```
pub fn renormalize(weights: &mut [f64], total: f64) {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 && sum.is_finite() {
        weights.iter_mut().for_each(|weight| *weight = *weight / sum * total);
    }
}
