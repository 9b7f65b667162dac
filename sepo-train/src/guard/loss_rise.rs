//! A loss that goes up.

use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use super::level::Level;
use super::smooth::Smooth;
use crate::StepMetrics;

/// The smoothed loss against its best.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct LossRise {
    loss: Smooth,
    /// The first smoothed loss: what a rise is measured by, as losses of different objectives have different sizes.
    start: Option<f64>,
    best: Option<f64>,
    best_step: u64,
    level: Level,
}

impl LossRise {
    /// An alarm where the smoothed loss is above its best by more than `watchdog` times what it began with.
    pub(super) fn push(&mut self, metrics: &StepMetrics, watchdog: f64) -> Option<Alarm> {
        let loss = self.loss.push(metrics.loss?, metrics.pairs - metrics.empty_pairs)?;
        let start = *self.start.get_or_insert(loss);
        let best = match self.best {
            Some(best) if best <= loss => best,
            _ => {
                self.best_step = metrics.step;
                *self.best.insert(loss)
            }
        };
        // A loss of 0, as of a hinge, leaves no unit; then the limit itself is one.
        let limit = watchdog * if start == 0.0 { 1.0 } else { start.abs() };
        self.level.rises(loss - best, limit).then_some(Alarm::LossRise {
            loss,
            best,
            best_step: self.best_step,
            limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms(losses: impl Iterator<Item = f64>, watchdog: f64) -> Vec<(u64, Alarm)> {
        let mut guard = LossRise::default();
        let step = |(step, loss)| StepMetrics { step, loss: Some(loss), pairs: 32, ..StepMetrics::default() };
        let metrics = (1..).zip(losses).map(step);
        metrics.filter_map(|m| guard.push(&m, watchdog).map(|alarm| (m.step, alarm))).collect()
    }

    #[test]
    fn a_rise_is_said_with_its_best_and_again_when_it_doubles() {
        let falls = (0..50).map(|i| 0.7 - 0.01 * f64::from(i));
        let rises = (0..100).map(|i| 0.2 + 0.02 * f64::from(i));
        let found = alarms(falls.chain(rises), 0.5);
        assert!(found.len() > 1, "{found:?}");
        let (step, Alarm::LossRise { loss, best, best_step, limit }) = &found[0] else { panic!() };
        assert!((50..70).contains(best_step) && *step > *best_step, "{best_step} {step}");
        assert!(loss - best >= *limit && loss - best < 1.2 * limit);
        // Half of the first smoothed loss, which is that of about step 10.
        assert!((0.25..0.35).contains(limit), "{limit}");
        assert!(found.windows(2).all(|pair| pair[1].0 > pair[0].0 + 5));
    }

    #[test]
    fn noise_and_the_first_steps_are_nothing() {
        let noise = (0..500_u32).map(|i| 0.6 + f64::from(i.wrapping_mul(2_654_435_761) % 1000) / 2500.0);
        assert_eq!(alarms(noise, 0.5), []);
        assert_eq!(alarms([0.1, 5.0, 9.0].into_iter(), 0.5), []);
    }
}
