//! How long things take, so that a deadline can be kept.

use std::time::{Duration, Instant};

/// What a checkpoint is taken to be written at where none has been yet: that of one spinning disk.
const BYTES_PER_S: f64 = 100e6;

/// The longest step, evaluation and checkpoint of this call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    step: Duration,
    eval: Duration,
    /// From the size of a checkpoint.
    expected_save: Duration,
    /// Measured.
    save: Option<Duration>,
}

/// What comes before the next moment at which the run could be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Step,
    StepAndEval,
}

impl Pace {
    /// Nothing measured yet; a checkpoint has `checkpoint_bytes`.
    pub(crate) fn new(checkpoint_bytes: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let expected_save = Duration::from_secs_f64(checkpoint_bytes as f64 / BYTES_PER_S);
        Self { step: Duration::ZERO, eval: Duration::ZERO, expected_save, save: None }
    }

    pub(crate) fn note_step(&mut self, duration: Duration) {
        self.step = self.step.max(duration);
    }

    pub(crate) fn note_eval(&mut self, duration: Duration) {
        self.eval = self.eval.max(duration);
    }

    pub(crate) fn note_save(&mut self, duration: Duration) {
        self.save = self.save.max(Some(duration));
    }

    /// Whether all of `next` and a checkpoint, a tenth slower than the slowest until now, end before the deadline.
    pub(crate) fn fits(&self, next: Next, now: Instant, deadline: Instant) -> bool {
        let eval = match next {
            Next::Step => Duration::ZERO,
            Next::StepAndEval => self.eval,
        };
        let save = self.save.unwrap_or(self.expected_save);
        now + (self.step + eval + save).mul_f64(1.1) <= deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_everything_that_comes_must_fit() {
        let (now, seconds) = (Instant::now(), Duration::from_secs);
        let mut pace = Pace::new(1_000_000_000);
        assert!(
            !pace.fits(Next::Step, now, now + seconds(10)),
            "a gigabyte takes ten seconds until it is known"
        );
        assert!(pace.fits(Next::Step, now, now + seconds(12)));
        pace.note_save(seconds(2));
        pace.note_save(seconds(1));
        pace.note_step(seconds(3));
        pace.note_step(seconds(1));
        pace.note_eval(seconds(10));
        assert!(pace.fits(Next::Step, now, now + seconds(6)));
        assert!(!pace.fits(Next::Step, now, now + seconds(5)));
        assert!(!pace.fits(Next::StepAndEval, now, now + seconds(15)));
        assert!(pace.fits(Next::StepAndEval, now, now + seconds(17)));
        assert!(!pace.fits(Next::Step, now + seconds(7), now + seconds(6)));
    }
}
