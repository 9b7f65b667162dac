//! A mean of the last steps, which needs no list of them.

use serde::{Deserialize, Serialize};

/// Steps of full size that a mean is over, about.
const N_STEPS: f64 = 20.0;
/// Pairs of a step of full size. Smaller steps are noisier, and more of them are taken together.
const FULL_STEP: f64 = 32.0;

/// What share of a full step `n_pairs` are.
#[expect(clippy::cast_precision_loss, reason = "counts of one step are far below 2^52")]
pub(super) fn step_size(n_pairs: u64) -> f64 {
    (n_pairs as f64 / FULL_STEP).min(1.0)
}

/// An exponentially weighted mean, free of the bias towards where it began.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Smooth {
    sum: f64,
    weight: f64,
    /// Full steps seen.
    seen: f64,
}

impl Smooth {
    /// Adds the mean of a step of `n_pairs` pairs; the smoothed mean, once 20 full steps are in it.
    pub(super) fn push(&mut self, value: f64, n_pairs: u64) -> Option<f64> {
        let share = step_size(n_pairs) / N_STEPS;
        self.sum += share * (value - self.sum);
        self.weight += share * (1.0 - self.weight);
        self.seen += step_size(n_pairs);
        (self.seen >= N_STEPS).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_weighted_mean_that_is_written_out() {
        let values: Vec<f64> = (0..60).map(|i| f64::from(i * i % 17)).collect();
        let mut smooth = Smooth::default();
        for (i, value) in values.iter().enumerate() {
            let found = smooth.push(*value, 32);
            assert_eq!(found.is_some(), i >= 19);
            let Some(found) = found else { continue };
            let weight = |age: usize| 0.95_f64.powi(i32::try_from(age).unwrap());
            let (sum, total) = (0..=i)
                .fold((0.0, 0.0), |(sum, total), j| (sum + weight(i - j) * values[j], total + weight(i - j)));
            assert!((found - sum / total).abs() < 1e-9);
        }
    }

    #[test]
    fn small_steps_count_less() {
        let mut smooth = Smooth::default();
        let first = (1..).find(|_| smooth.push(3.0, 2).is_some()).unwrap();
        assert_eq!(first, 320);
        assert!((smooth.push(3.0, 2).unwrap() - 3.0).abs() < 1e-12);
    }
}
