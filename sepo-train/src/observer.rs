//! What a run tells while it goes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::{Alarm, Damage, EvalReport, StepMetrics};

/// Something a user should know that does not stop the run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Warning {
    /// A checkpoint is damaged, and the one before it is tried.
    DamagedCheckpoint {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The rest of a write that was cut off was removed.
    RemovedUnfinished {
        /// Its folder.
        path: PathBuf,
    },
    /// The file system knows no locks, so nothing keeps a second run out of the folder.
    NotLocked {
        /// The folder.
        path: PathBuf,
    },
    /// A guard saw something.
    Guard {
        /// Steps made.
        step: u64,
        /// What it saw.
        alarm: Alarm,
    },
    /// No step and checkpoint fit before [`Observer::deadline`].
    Deadline {
        /// Steps made.
        step: u64,
    },
    /// No pair of a batch has tokens to compare: the step changed nothing.
    EmptyBatch {
        /// The step, from 1.
        step: u64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DamagedCheckpoint { path, damage } => {
                write!(f, "checkpoint `{}` is not used: {damage}", path.display())
            }
            Self::RemovedUnfinished { path } => {
                write!(f, "removed the unfinished `{}`", path.display())
            }
            Self::NotLocked { path } => {
                write!(
                    f,
                    "`{}` cannot be locked on this file system: do not start a second run there",
                    path.display()
                )
            }
            Self::Guard { step, alarm } => write!(f, "step {step}: {}: {alarm}", alarm.guard()),
            Self::Deadline { step } => {
                write!(
                    f,
                    "stops after step {step}: another step and its checkpoint would end after the deadline"
                )
            }
            Self::EmptyBatch { step } => {
                write!(f, "step {step}: no example of the batch has tokens to learn from")
            }
        }
    }
}

/// Follows a run, and may ask something of it: a progress bar, a test, a log. Every method does nothing unless written.
pub trait Observer {
    /// Before the first step of this call; `resumed_from` is the step of the checkpoint from which it goes on.
    fn on_start(&mut self, total_steps: u64, resumed_from: Option<u64>) {
        let _ = (total_steps, resumed_from);
    }

    /// After each step.
    fn on_step(&mut self, metrics: &StepMetrics) {
        let _ = metrics;
    }

    /// After each evaluation; `step` is the number of steps made.
    fn on_eval(&mut self, step: u64, report: &EvalReport) {
        let _ = (step, report);
    }

    /// After a checkpoint is complete in `folder`.
    fn on_checkpoint(&mut self, step: u64, folder: &Path) {
        let _ = (step, folder);
    }

    /// Asked after each step: whether a checkpoint is wanted now, without stopping.
    fn wants_checkpoint(&mut self) -> bool {
        false
    }

    /// Asked before each step: when a checkpoint of everything must be complete. The run stops before it, early enough by
    /// how long its steps, evaluations and checkpoints have taken.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// When something is odd, yet no reason to stop.
    fn on_warning(&mut self, warning: &Warning) {
        let _ = warning;
    }
}

/// The observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
