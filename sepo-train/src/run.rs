//! A run between two calls of the outside world: everything that lives from step to step.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sepo_loss::Objective;
use sepo_model::{Activations, Model, Network};
use serde_json::{Map, Value};

use crate::checkpoint::{self, Resume, State, Store};
use crate::diagnose::{FailedBatch, rows_at_fault};
use crate::evaluate::evaluate_checked;
use crate::feed::Feed;
use crate::fingerprint::Fingerprint;
use crate::gradient::{GradientContext, accumulate};
use crate::memory::peak_rss_bytes;
use crate::metrics_log::{MetricsLog, metrics_path};
use crate::optimizer::{Optimizer, mean_and_clip, mean_norm, zero};
use crate::order::OrderPlace;
use crate::shuffle::Shuffler;
use crate::sums::Sums;
use crate::{
    ActivationPolicy, Cursor, EvalReport, Examples, Observer, PreferenceMetrics, Progress, Quantity,
    Schedule, Status, StepMetrics, TrainConfig, TrainData, TrainError, TrainExample, TrainOutcome, Warning,
};

/// The parts of a run that is going on; the model stays with the caller.
pub(crate) struct Run<'a> {
    data: TrainData<'a>,
    objective: &'a Objective,
    config: &'a TrainConfig,
    schedule: Schedule,
    total_steps: u64,
    feed: Feed<'a>,
    network: Network,
    optimizer: Optimizer,
    grads: Vec<f32>,
    progress: Progress,
    folder: Option<RunFolder>,
    resumed_from: Option<u64>,
    last_step: Option<StepMetrics>,
    eval: Option<EvalReport>,
}

/// What a run writes to.
struct RunFolder {
    dir: PathBuf,
    store: Store,
    log: MetricsLog,
    fingerprint: Fingerprint,
    /// Step of the newest whole checkpoint.
    saved: Option<u64>,
}

/// What was found in a run's folder.
struct Found {
    folder: RunFolder,
    state: Option<State>,
}

impl<'a> Run<'a> {
    /// A run at its first step, or at the step of the newest whole checkpoint in `dir`, whose weights `model` then holds.
    pub(crate) fn begin(
        model: &mut Model,
        data: TrainData<'a>,
        (objective, config): (&'a Objective, &'a TrainConfig),
        dir: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        let total_steps = total_steps(config, data.examples.len());
        let mut optimizer = Optimizer::new(&model.parameters);
        let fingerprint = |model: &Model| Fingerprint::new(model, data.examples, objective, config);
        let found = match dir {
            Some(dir) => Some(open_folder(dir, fingerprint(model)?, model, &mut optimizer, observer)?),
            None => None,
        };
        let (folder, state) = found.map_or((None, None), |found| (Some(found.folder), found.state));
        observer.on_start(total_steps, state.as_ref().map(|state| state.progress.step));
        let cursor = state.as_ref().map_or(Cursor::default(), |state| state.cursor);
        let activations = match config.activations {
            ActivationPolicy::Kept => Activations::Kept,
            ActivationPolicy::Recomputed => Activations::Recomputed,
        };
        Ok(Self {
            schedule: Schedule::new(
                config.scheduler,
                config.learning_rate,
                total_steps,
                config.warmup_ratio,
            )?,
            total_steps,
            feed: feed(data.examples, config, cursor, dir),
            network: Network::new(&model.config, activations).with_dtype(config.dtype),
            optimizer,
            grads: vec![0.0; model.parameters.as_slice().len()],
            progress: state.as_ref().map_or(Progress::default(), |state| state.progress),
            resumed_from: state.map(|state| state.progress.step),
            folder,
            last_step: None,
            eval: None,
            data,
            objective,
            config,
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.progress.step >= self.total_steps
    }

    /// One step, and the evaluation and the checkpoint that are due after it.
    pub(crate) fn advance(
        &mut self,
        model: &mut Model,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let metrics = self.step(model)?;
        if let Some(folder) = &mut self.folder {
            folder.log.append(&metrics)?;
        }
        if metrics.grad_norm.is_none() {
            observer.on_warning(&Warning::EmptyBatch { step: metrics.step });
        }
        observer.on_step(&metrics);
        self.last_step = Some(metrics);
        if self.is_due(self.config.eval_every) && !self.data.eval.is_empty() {
            self.evaluate(model, observer)?;
        }
        if self.is_due(self.config.save_every) {
            self.save(model, observer)?;
        }
        Ok(())
    }

    /// The outcome, after what has not been saved is.
    pub(crate) fn finish(
        mut self,
        model: &Model,
        observer: &mut dyn Observer,
    ) -> Result<TrainOutcome, TrainError> {
        let saved = self.folder.as_ref().and_then(|folder| folder.saved);
        if self.progress.step > 0 && saved != Some(self.progress.step) {
            self.save(model, observer)?;
        }
        Ok(TrainOutcome {
            status: if self.is_done() { Status::Done } else { Status::Interrupted },
            progress: self.progress,
            total_steps: self.total_steps,
            resumed_from: self.resumed_from,
            last_step: self.last_step,
            eval: self.eval,
        })
    }

    /// Every so many steps, and after the last one.
    fn is_due(&self, every: Option<u64>) -> bool {
        self.is_done() || every.is_some_and(|every| self.progress.step.is_multiple_of(every))
    }

    fn step(&mut self, model: &mut Model) -> Result<StepMetrics, TrainError> {
        let start = Instant::now();
        let batch = self.feed.next_batch()?;
        let examples: Vec<&TrainExample> = batch.iter().map(Cow::as_ref).collect();
        let learning_rate = self.schedule.at(self.progress.step);
        let (sums, grad_norm) = self.gradient(model, &examples, learning_rate)?;
        if let Some(norm) = grad_norm {
            let factor = mean_and_clip(sums.loss.weight(), norm, self.config.max_grad_norm);
            let grads = (&self.grads[..], factor);
            self.optimizer.update(&mut model.parameters, grads, learning_rate, self.config);
        }
        self.progress.step += 1;
        self.progress.n_empty_pairs += sums.n_empty;
        self.progress.n_empty_batches += u64::from(grad_norm.is_none());
        let seconds = start.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        #[expect(clippy::cast_precision_loss, reason = "counts of one step are far below 2^52")]
        let per_second = |count: u64| count as f64 / seconds;
        Ok(StepMetrics {
            step: self.progress.step,
            epoch: self.feed.cursor().epochs(self.data.examples.len()),
            loss: sums.loss.get(),
            learning_rate,
            grad_norm,
            preference: PreferenceMetrics::new(&sums, self.objective.is_pairwise()),
            tokens: sums.n_tokens,
            rows: sums.n_rows,
            pairs: sums.n_pairs,
            empty_pairs: sums.n_empty,
            flops: sums.flops,
            tokens_per_s: per_second(sums.n_tokens),
            pairs_per_s: per_second(sums.n_pairs),
            peak_rss_bytes: peak_rss_bytes(),
        })
    }

    /// Leaves the gradient of the sum in `grads` and returns the norm of the mean's; `None` for an empty batch.
    fn gradient(
        &mut self,
        model: &Model,
        examples: &[&TrainExample],
        learning_rate: f64,
    ) -> Result<(Sums, Option<f64>), TrainError> {
        zero(&mut self.grads);
        let mut context = GradientContext {
            network: &mut self.network,
            parameters: &model.parameters,
            objective: self.objective,
            tokens_per_batch: self.config.tokens_per_batch,
        };
        let total = accumulate(&mut context, examples, &mut self.grads)?;
        let n_units = total.sums.loss.weight();
        let norm = mean_norm(&self.grads, n_units);
        let (quantity, rows) = if !total.not_finite.is_empty() {
            (Quantity::Loss, total.not_finite)
        } else if n_units == 0.0 {
            return Ok((total.sums, None));
        } else if norm.is_finite() {
            return Ok((total.sums, Some(norm)));
        } else {
            (Quantity::Gradient, rows_at_fault(&mut context, examples, &mut self.grads)?)
        };
        let step = self.progress.step + 1;
        let failed = FailedBatch { step, quantity, learning_rate, rows: &rows, examples };
        let saved = match &self.folder {
            Some(folder) => Some(failed.save(&folder.dir)?),
            None => None,
        };
        Err(TrainError::Diverged { quantity, step, rows, saved })
    }

    fn evaluate(&mut self, model: &Model, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let report = evaluate_checked(
            &mut self.network,
            &model.parameters,
            self.data.eval,
            self.objective,
            self.config.tokens_per_batch,
        )?;
        let epoch = self.feed.cursor().epochs(self.data.examples.len());
        if let Some(folder) = &mut self.folder {
            folder.log.append(&eval_line(self.progress.step, epoch, &report))?;
        }
        observer.on_eval(self.progress.step, &report);
        self.eval = Some(report);
        Ok(())
    }

    fn save(&mut self, model: &Model, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        folder.log.sync()?;
        let step = self.progress.step;
        let state =
            State::new(folder.fingerprint.clone(), self.progress, self.feed.cursor(), self.optimizer.step);
        let path = checkpoint::write(&folder.store, &model.parameters, &self.optimizer, state)?;
        folder.store.prune(step, self.config.keep_checkpoints)?;
        folder.saved = Some(step);
        observer.on_checkpoint(step, &path);
        Ok(())
    }
}

/// The batches of a run from `cursor` on; an order that does not fit into memory lies in its folder.
fn feed<'a>(examples: Examples<'a>, config: &TrainConfig, cursor: Cursor, dir: Option<&Path>) -> Feed<'a> {
    let place = OrderPlace::in_dir(dir.map_or_else(std::env::temp_dir, Path::to_path_buf));
    Feed::new(examples, Shuffler::new(examples.len(), config.seed, cursor, place), config.batch_size)
}

/// Opens the folder of a run and reads its newest whole checkpoint.
fn open_folder(
    dir: &Path,
    fingerprint: Fingerprint,
    model: &mut Model,
    optimizer: &mut Optimizer,
    observer: &mut dyn Observer,
) -> Result<Found, TrainError> {
    let (store, removed) = Store::open(dir)?;
    for path in removed {
        observer.on_warning(&Warning::RemovedUnfinished { path });
    }
    let Resume { state, warnings } =
        checkpoint::resume(&store, &fingerprint, &mut model.parameters, optimizer)?;
    for warning in &warnings {
        observer.on_warning(warning);
    }
    let saved = state.as_ref().map(|state| state.progress.step);
    let log = MetricsLog::open(metrics_path(dir), saved.unwrap_or(0))?;
    let folder = RunFolder { dir: dir.to_path_buf(), store, log, fingerprint, saved };
    Ok(Found { folder, state })
}

/// `max_steps`, or as many steps as `epochs` takes with a smaller last batch in every epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a positive number of steps; beyond 2^53 it saturates, and no run gets there"
)]
fn total_steps(config: &TrainConfig, n_examples: usize) -> u64 {
    let steps_per_epoch = n_examples.div_ceil(config.batch_size);
    config.max_steps.unwrap_or((config.epochs * steps_per_epoch as f64).ceil().max(1.0) as u64)
}

/// The report as a line of `metrics.jsonl`, its names marked so that no reader takes them for a step's.
fn eval_line(step: u64, epoch: f64, report: &EvalReport) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("step".to_owned(), step.into());
    line.insert("epoch".to_owned(), epoch.into());
    // A report is a JSON object of numbers: this cannot fail.
    if let Ok(Value::Object(fields)) = serde_json::to_value(report) {
        line.extend(fields.into_iter().map(|(name, value)| (format!("eval_{name}"), value)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_from_epochs_unless_they_are_given() {
        let config = TrainConfig { batch_size: 4, epochs: 2.0, ..TrainConfig::default() };
        assert_eq!(total_steps(&config, 9), 6);
        assert_eq!(total_steps(&TrainConfig { epochs: 0.5, ..config.clone() }, 9), 2);
        assert_eq!(total_steps(&TrainConfig { epochs: 1e-9, ..config.clone() }, 9), 1);
        assert_eq!(total_steps(&TrainConfig { max_steps: Some(100), ..config }, 9), 100);
    }
}
