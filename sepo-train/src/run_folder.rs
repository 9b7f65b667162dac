//! What a run writes to: its metrics and checkpoints, and the lock that keeps others away.

use std::path::{Path, PathBuf};

use sepo_model::Parameters;

use crate::checkpoint::{self, Resume, Snapshot, State, Store};
use crate::diagnose::FailedBatch;
use crate::fingerprint::Fingerprint;
use crate::metrics_log::{Kept, MetricsLog, metrics_path};
use crate::optimizer::Moments;
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

/// What a run goes on from.
pub(crate) struct Resumed {
    pub(crate) state: State,
    pub(crate) moments: Moments,
    /// Until there.
    pub(crate) metrics: Kept,
}

impl RunFolder {
    /// The folder of a run, made where absent, and what its newest whole checkpoint holds. The checkpoint's weights are then
    /// in `parameters`.
    pub(crate) fn open(
        dir: &Path,
        fingerprint: Fingerprint,
        parameters: &mut Parameters,
        observer: &mut dyn Observer,
    ) -> Result<(Self, Option<Resumed>), TrainError> {
        let (store, removed) = Store::open(dir)?;
        if !store.is_exclusive() {
            observer.on_warning(&Warning::NotLocked { path: dir.to_path_buf() });
        }
        for path in removed {
            observer.on_warning(&Warning::RemovedUnfinished { path });
        }
        let Resume { found, warnings } = checkpoint::resume(&store, &fingerprint, parameters)?;
        for warning in &warnings {
            observer.on_warning(warning);
        }
        let saved = found.as_ref().map(|(state, _)| state.progress.step);
        let (log, kept) = MetricsLog::open(metrics_path(dir), saved.unwrap_or(0))?;
        checkpoint::sync_folder(dir)?;
        Ok((
            Self { dir: dir.to_path_buf(), store, log, fingerprint, saved },
            found.map(|(state, moments)| Resumed { state, moments, metrics: kept }),
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
        snapshot: &Snapshot<'_>,
        state: State,
        config: &TrainConfig,
    ) -> Result<PathBuf, TrainError> {
        self.log.sync()?;
        let step = state.progress.step;
        let best = state.best.map(|best| best.step);
        let path = checkpoint::write(&self.store, snapshot, state)?;
        self.saved = Some(step);
        self.store.prune(step, config.keep_checkpoints, best)?;
        Ok(path)
    }
}
