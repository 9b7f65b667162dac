//! Progress of a training run: a bar where a person looks, lines where none does.

use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sepo_train::{EvalReport, Observer, StepMetrics, Warning};

use crate::console::{grouped, number, percent, say};
use crate::interrupt::{deadline, save_requested};

/// Steps between two lines where stderr is no terminal.
const LINES: u64 = 20;

/// Follows a training run.
pub(crate) struct Progress {
    name: String,
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Self { name: name.into(), bar }
    }

    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            say(text);
        } else {
            self.bar.println(text);
        }
    }
}

impl Observer for Progress {
    fn on_start(&mut self, total_steps: u64, resumed_from: Option<u64>) {
        if let Some(step) = resumed_from {
            self.line(&format!("{}: goes on after step {step} of {total_steps}", self.name));
        }
        self.bar.set_length(total_steps);
        self.bar.set_position(resumed_from.unwrap_or(0));
        self.bar.reset_eta();
        // The template is a constant of ours.
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {eta} left") {
            self.bar.set_style(style);
        }
        self.bar.set_prefix(self.name.clone());
        self.bar.enable_steady_tick(Duration::from_millis(500));
    }

    fn on_step(&mut self, metrics: &StepMetrics) {
        self.bar.set_position(metrics.step);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a speed, not negative; casts saturate"
        )]
        let tokens_per_s = metrics.tokens_per_s.max(0.0).round() as u64;
        let speed = format!(
            "loss {} {:.1} pairs/s {} tokens/s",
            number(metrics.loss),
            metrics.pairs_per_s,
            grouped(tokens_per_s)
        );
        let total = self.bar.length().unwrap_or(0);
        if self.bar.is_hidden()
            && (metrics.step.is_multiple_of(total.div_ceil(LINES).max(1)) || metrics.step == total)
        {
            say(format!("{}: step {}/{total} {speed}", self.name, metrics.step));
        }
        self.bar.set_message(speed);
    }

    fn on_eval(&mut self, step: u64, report: &EvalReport) {
        self.line(&format!(
            "{}: evaluation after step {step}: loss {}, accuracy {} by log-prob, {} by implicit reward",
            self.name,
            number(report.loss),
            percent(report.accuracy_by_sum),
            percent(report.accuracy_by_reward)
        ));
    }

    fn on_checkpoint(&mut self, step: u64, folder: &Path) {
        tracing::debug!(step, folder = %folder.display(), "checkpoint");
    }

    fn wants_checkpoint(&mut self) -> bool {
        let is_wanted = save_requested();
        if is_wanted {
            self.line(&format!("{}: saves a checkpoint, as asked by a signal", self.name));
        }
        is_wanted
    }

    fn deadline(&self) -> Option<Instant> {
        deadline()
    }

    fn on_warning(&mut self, warning: &Warning) {
        self.line(&format!("warning: {}: {warning}", self.name));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
