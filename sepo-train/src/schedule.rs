//! The learning rate of every step.

use std::f64::consts::PI;

use crate::{Scheduler, TrainConfig, TrainError};

/// Learning rate as a function of the step: a straight rise from 0, then constant, linear or cosine.
///
/// The same curve as `transformers`' `get_constant_schedule_with_warmup`, `get_linear_schedule_with_warmup` and
/// `get_cosine_schedule_with_warmup` (half a period), with `w` warm-up steps of `n`:
///
/// ```text
/// s < w                s / w
/// constant             1
/// linear               (n - s) / (n - w)
/// cosine               (1 + cos(π (s - w) / (n - w))) / 2
/// ```
///
/// As there, step 0 of a warm-up has learning rate 0: it moves no weight, but its gradient enters the moments. The last
/// step, `n - 1`, is not 0. `w = ⌈warmup_ratio · n⌉`, at most `n - 1`, so that no run is all zero.
///
/// # Examples
///
/// ```
/// use sepo_train::{Schedule, Scheduler};
///
/// let schedule = Schedule::new(Scheduler::Linear, 1e-3, 4, 0.25)?;
/// let rates: Vec<f64> = (0..4).map(|step| schedule.at(step)).collect();
/// assert_eq!(rates, [0.0, 1e-3, 1e-3 * 2.0 / 3.0, 1e-3 / 3.0]);
/// # Ok::<(), sepo_train::TrainError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    scheduler: Scheduler,
    peak: f64,
    total_steps: u64,
    warmup_steps: u64,
}

impl Schedule {
    /// The curve over `total_steps` steps with its peak at `learning_rate`.
    ///
    /// # Errors
    ///
    /// * [`TrainError::InvalidConfig`] where `warmup_ratio` is outside of `0.0..=1.0`.
    pub fn new(
        scheduler: Scheduler,
        learning_rate: f64,
        total_steps: u64,
        warmup_ratio: f64,
    ) -> Result<Self, TrainError> {
        TrainConfig { warmup_ratio, ..TrainConfig::default() }.check()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share in 0..=1 of a number of steps far below 2^52"
        )]
        let warmup_steps = (warmup_ratio * total_steps as f64).ceil() as u64;
        Ok(Self {
            scheduler,
            peak: learning_rate,
            total_steps,
            warmup_steps: warmup_steps.min(total_steps.saturating_sub(1)),
        })
    }

    /// The learning rate of the step with number `step`, from 0; past the end it is 0 (constant: the peak).
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        self.peak * self.factor(step)
    }

    #[expect(clippy::cast_precision_loss, reason = "step numbers are far below 2^52")]
    fn factor(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return step as f64 / self.warmup_steps as f64;
        }
        let falling = (self.total_steps - self.warmup_steps).max(1) as f64;
        let progress = (step - self.warmup_steps) as f64 / falling;
        match self.scheduler {
            Scheduler::Constant => 1.0,
            Scheduler::Linear => (self.total_steps.saturating_sub(step)) as f64 / falling,
            Scheduler::Cosine => 0.5 * (1.0 + (PI * progress.min(1.0)).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Factors of `transformers` for 10 steps, 3 of them warm-up:
    /// `[s.lr_lambdas[0](i) for i in range(11)]`.
    const WARMUP: [f64; 3] = [0.0, 1.0 / 3.0, 2.0 / 3.0];
    const LINEAR: [f64; 8] = [
        1.0,
        0.857_142_857_142_857_1,
        0.714_285_714_285_714_3,
        0.571_428_571_428_571_4,
        0.428_571_428_571_428_55,
        0.285_714_285_714_285_7,
        0.142_857_142_857_142_85,
        0.0,
    ];
    const COSINE: [f64; 8] = [
        1.0,
        0.950_484_433_951_209_6,
        0.811_744_900_929_366_9,
        0.611_260_466_978_157_3,
        0.388_739_533_021_842_8,
        0.188_255_099_070_633_34,
        0.049_515_566_048_790_48,
        0.0,
    ];

    fn curve(scheduler: Scheduler) -> Vec<f64> {
        let schedule = Schedule::new(scheduler, 1.0, 10, 0.3).unwrap();
        (0..=10).map(|step| schedule.at(step)).collect()
    }

    #[test]
    fn the_curves_are_those_of_transformers() {
        for (scheduler, after) in
            [(Scheduler::Linear, LINEAR), (Scheduler::Cosine, COSINE), (Scheduler::Constant, [1.0; 8])]
        {
            let expected = WARMUP.iter().chain(&after);
            for (step, (found, expected)) in curve(scheduler).iter().zip(expected).enumerate() {
                assert!((found - expected).abs() < 1e-15, "{scheduler:?} {step}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_single_step_is_not_all_warmup() {
        for ratio in [0.0, 0.1, 1.0] {
            assert_eq!(Schedule::new(Scheduler::Cosine, 0.5, 1, ratio).unwrap().at(0), 0.5);
        }
    }

    #[test]
    fn steps_past_the_end_are_zero() {
        assert_eq!(Schedule::new(Scheduler::Linear, 1.0, 5, 0.0).unwrap().at(9), 0.0);
        assert!(Schedule::new(Scheduler::Cosine, 1.0, 5, 0.0).unwrap().at(9).abs() < 1e-15);
    }
}
