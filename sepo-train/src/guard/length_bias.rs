//! Margins that follow length.

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::smooth::step_size;
use crate::StepMetrics;
use crate::length_moments::LengthMoments;

/// Correlation that is said.
const LIMIT: f64 = 0.5;
/// Below this it begins anew.
const CALM: f64 = 0.4;
/// Pairs without which a correlation says nothing: by chance one of 0.5 has six standard deviations then.
const LEAST_PAIRS: f64 = 150.0;
/// Full steps in the window, about.
const N_STEPS: f64 = 40.0;

/// The correlation of margin and difference of lengths over the last steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct LengthBias {
    window: LengthMoments,
    start: Option<f64>,
    is_said: bool,
}

impl LengthBias {
    pub(super) fn push(&mut self, metrics: &StepMetrics) -> Option<Alarm> {
        let old = 1.0 - step_size(metrics.pairs - metrics.empty_pairs) / N_STEPS;
        self.window.fade_and_add(old, &metrics.lengths);
        let correlation = self.window.correlation().filter(|_| self.window.n >= LEAST_PAIRS)?;
        let start = *self.start.get_or_insert(correlation);
        let is_new = correlation > LIMIT && !self.is_said;
        self.is_said = correlation > if self.is_said { CALM } else { LIMIT };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let n_pairs = self.window.n as u64;
        is_new.then_some(Alarm::LengthBias { correlation, start, n_pairs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of 32 pairs whose margin is noise and `slope` times the difference of lengths.
    fn steps(n: u64, slope: f64, noise: f64) -> impl Iterator<Item = StepMetrics> {
        let mut state = 12_345_u64;
        let mut below = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        (1..=n).map(move |step| {
            let mut metrics = StepMetrics { step, pairs: 32, ..StepMetrics::default() };
            for _ in 0..32 {
                let lengths = [20 + below(200), 20 + below(200)];
                let random = below(2001) as f64 / 1000.0 - 1.0;
                let margin = slope * (lengths[0] as f64 - lengths[1] as f64) + noise * random;
                metrics.lengths.push(lengths, margin);
            }
            metrics
        })
    }

    #[test]
    fn margins_that_follow_length_are_said_once() {
        let mut guard = LengthBias::default();
        let before: Vec<Alarm> = steps(100, 0.0, 1.0).filter_map(|step| guard.push(&step)).collect();
        assert_eq!(before, []);
        let alarms: Vec<Alarm> = steps(200, 0.02, 1.0).filter_map(|step| guard.push(&step)).collect();
        let [Alarm::LengthBias { correlation, start, n_pairs }] = alarms[..] else { panic!("{alarms:?}") };
        assert!(correlation > LIMIT && start.abs() < 0.3 && n_pairs > 150);
    }

    #[test]
    fn a_weak_tie_and_too_few_pairs_are_nothing() {
        let mut guard = LengthBias::default();
        assert!(steps(300, 0.002, 1.0).all(|step| guard.push(&step).is_none()));
        let mut guard = LengthBias::default();
        assert!(steps(4, 1.0, 0.0).all(|step| guard.push(&step).is_none()));
    }
}
