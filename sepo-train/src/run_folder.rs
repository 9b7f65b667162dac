//! What a run writes to: its metrics and checkpoints, and the lock that keeps others away.

use std::path::{Path, PathBuf};

use sepo_model::Model;

use crate::checkpoint::{self, Resume, State, Store};
use crate::diagnose::FailedBatch;
use crate::fingerprint::Fingerprint;
use crate::metrics_log::{Kept, MetricsLog, metrics_path};
use crate::optimizer::Optimizer;
use crate::{EvalReport, Observer, StepMetrics, TrainConfig, TrainError, Warning};

/// The folder of a run that is going on.
pub(crate) struct RunFolder {
    dir: PathBuf,
    store: Store,
    log: MetricsLog,
    fingerprint: Fingerprint,
    /// Step of the newest whole checkpoint.
    pub(crate) saved: Option<u64>,
}

impl RunFolder {
    /// The folder of a run, made where absent, and the state of its newest whole checkpoint with the metrics until there.
    /// The checkpoint's weights and moments are then in `model` and `optimizer`.
    pub(crate) fn open(
        dir: &Path,
        fingerprint: Fingerprint,
        (model, optimizer): (&mut Model, &mut Optimizer),
        observer: &mut dyn Observer,
    ) -> Result<(Self, Option<(State, Kept)>), TrainError> {
        let (store, removed) = Store::open(dir)?;
        if !store.is_exclusive() {
            observer.on_warning(&Warning::NotLocked { path: dir.to_path_buf() });
        }
        for path in removed {
            observer.on_warning(&Warning::RemovedUnfinished { path });
        }
        let Resume { state, warnings } =
            checkpoint::resume(&store, &fingerprint, &mut model.parameters, optimizer)?;
        for warning in &warnings {
            observer.on_warning(warning);
        }
        let saved = state.as_ref().map(|state| state.progress.step);
        let (log, kept) = MetricsLog::open(metrics_path(dir), saved.unwrap_or(0))?;
        checkpoint::sync_folder(dir)?;
        Ok((
            Self { dir: dir.to_path_buf(), store, log, fingerprint, saved },
            state.map(|state| (state, kept)),
        ))
    }

    /// Removes checkpoints that are not kept beside that of `state`: a run that was killed after its last one has not
    /// come to it.
    pub(crate) fn prune(&self, state: &State, config: &TrainConfig) -> Result<(), TrainError> {
        let best = state.best.map(|best| best.step);
        self.store.prune(state.progress.step, config.keep_checkpoints, best)
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint.clone()
    }

    pub(crate) fn log_step(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        self.log.append(metrics)
    }

    pub(crate) fn log_eval(&mut self, step: u64, epoch: f64, report: &EvalReport) -> Result<(), TrainError> {
        self.log.append_eval(step, epoch, report)
    }

    /// The batch as a file to look at.
    pub(crate) fn save_failed(&self, batch: &FailedBatch<'_>) -> Result<PathBuf, TrainError> {
        batch.save(&self.dir)
    }

    /// A checkpoint, after which those that are not kept are removed. Its folder.
    pub(crate) fn save(
        &mut self,
        (model, optimizer): (&Model, &Optimizer),
        state: State,
        config: &TrainConfig,
    ) -> Result<PathBuf, TrainError> {
        self.log.sync()?;
        let step = state.progress.step;
        let best = state.best.map(|best| best.step);
        let path = checkpoint::write(&self.store, model, optimizer, state)?;
        self.saved = Some(step);
        self.store.prune(step, config.keep_checkpoints, best)?;
        Ok(path)
    }
}
