//! A run between two calls of the outside world: everything that lives from step to step.

use std::borrow::{Borrow, BorrowMut, Cow};
use std::path::Path;
use std::time::Instant;

use sepo_loss::Objective;
use sepo_model::Model;

use crate::backend::TrainBackend;
use crate::beside::Companion;
use crate::checkpoint::{Snapshot, State};
use crate::diagnose::{FailedBatch, rows_at_fault};
use crate::evaluate::evaluate_checked;
use crate::feed::Feed;
use crate::fingerprint::Fingerprint;
use crate::gradient::accumulate;
use crate::guard::Guards;
use crate::learner::Learner;
use crate::memory::peak_rss_bytes;
use crate::metrics_log::Kept;
use crate::n_steps::total_steps;
use crate::optimizer::{Optimizer, zero};
use crate::order::OrderPlace;
use crate::pace::{Next, Pace};
use crate::run_folder::{Resumed, RunFolder};
use crate::shuffle::Shuffler;
use crate::sums::Sums;
use crate::{
    Alarm, Best, Cursor, EvalReport, Examples, Observer, PreferenceMetrics, Progress, Quantity, Schedule,
    Status, StepMetrics, TrainConfig, TrainData, TrainError, TrainExample, TrainOutcome, Warning,
    WeightMetrics,
};

/// The parts of a run that is going on.
pub(crate) struct Run<'a, B: TrainBackend> {
    on: &'a B,
    learner: Learner<'a, B>,
    data: TrainData<'a>,
    objective: &'a Objective,
    config: &'a TrainConfig,
    schedule: Schedule,
    total_steps: u64,
    feed: Feed<'a>,
    optimizer: Optimizer<B>,
    grads: B::Singles,
    progress: Progress,
    folder: Option<RunFolder>,
    resumed_from: Option<u64>,
    last_step: Option<StepMetrics>,
    eval: Option<EvalReport>,
    best: Option<Best>,
    guards: Guards,
    pace: Pace,
}

impl<'a, B: TrainBackend> Run<'a, B> {
    /// A run at its first step, or at the step of the newest whole checkpoint in `dir`. `model` holds what it has come to when
    /// it has finished.
    pub(crate) fn begin(
        on: &'a B,
        model: &'a mut Model,
        data: TrainData<'a>,
        (objective, config): (&'a Objective, &'a TrainConfig),
        dir: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainError> {
        let total_steps = total_steps(config, data.examples.len());
        let companion = Companion::of(on, objective, data.beside, model.config.vocab)?;
        let (folder, resumed) = match dir {
            Some(dir) => {
                let fingerprint = Fingerprint::new(model, &data, objective, config, B::NAME)?;
                let (folder, resumed) = RunFolder::open(dir, fingerprint, &mut model.parameters, observer)?;
                if let Some(Resumed { state, .. }) = &resumed {
                    folder.prune(state, config)?;
                }
                (Some(folder), resumed)
            }
            None => (None, None),
        };
        let (mut state, mut moments, mut metrics) = (None, None, Kept::default());
        if let Some(resumed) = resumed {
            (state, moments, metrics) = (Some(resumed.state), Some(resumed.moments), resumed.metrics);
        }
        let n_weights = model.parameters.len();
        let optimizer = Optimizer::new(on, model.parameters.layout(), moments)?;
        let mut grads = B::Singles::default();
        on.zero_singles(&mut grads, n_weights)?;
        observer.on_start(total_steps, state.as_ref().map(|state| state.progress.step));
        let cursor = state.as_ref().map_or(Cursor::default(), |state| state.cursor);
        Ok(Self {
            on,
            learner: Learner::new(on, model, (companion, data.beside.weights), (objective, config))?,
            schedule: Schedule::new(
                config.scheduler,
                config.learning_rate,
                total_steps,
                config.warmup_ratio,
            )?,
            total_steps,
            feed: feed(data.examples, config, cursor, dir),
            optimizer,
            grads,
            progress: state.as_ref().map_or(Progress::default(), |state| state.progress),
            resumed_from: state.as_ref().map(|state| state.progress.step),
            folder,
            last_step: metrics.step,
            eval: metrics.eval,
            best: state.as_ref().and_then(|state| state.best),
            guards: state.map(|state| state.guards.resumed(config)).unwrap_or_default(),
            // Weights and two moments.
            pace: Pace::new(3 * n_weights * size_of::<f32>()),
            data,
            objective,
            config,
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.progress.step >= self.total_steps
    }

    /// Whether there is a step to make, and time for it.
    pub(crate) fn goes_on(&self, observer: &mut dyn Observer) -> bool {
        if self.is_done() || self.guards.stopped_by.is_some() {
            return false;
        }
        let Some(deadline) = observer.deadline().filter(|_| self.folder.is_some()) else { return true };
        let step = self.progress.step;
        let next = if self.is_evaluated_at(step + 1) { Next::StepAndEval } else { Next::Step };
        let fits = self.pace.fits(next, Instant::now(), deadline);
        if !fits {
            observer.on_warning(&Warning::Deadline { step });
        }
        fits
    }

    /// One step, and the evaluation and the checkpoint that are due after it.
    pub(crate) fn advance(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let start = Instant::now();
        let metrics = self.step()?;
        if let Some(folder) = &mut self.folder {
            folder.log_step(&metrics)?;
        }
        if metrics.grad_norm.is_none() {
            observer.on_warning(&Warning::EmptyBatch { step: metrics.step });
        }
        observer.on_step(&metrics);
        warn(metrics.step, self.guards.after_step(&metrics, self.config), observer);
        self.last_step = Some(metrics);
        self.pace.note_step(start.elapsed());
        let mut is_best = false;
        if self.is_evaluated_at(self.progress.step) {
            let before = self.best;
            self.evaluate(observer)?;
            is_best = self.best != before;
        }
        let is_wanted = observer.wants_checkpoint();
        if is_wanted || is_best || self.is_due_at(self.progress.step, self.config.save_every) {
            self.save(observer)?;
        }
        Ok(())
    }

    /// The outcome, after what has not been saved is; the model then holds the weights.
    pub(crate) fn finish(mut self, observer: &mut dyn Observer) -> Result<TrainOutcome, TrainError> {
        let saved = self.folder.as_ref().and_then(|folder| folder.saved);
        if self.progress.step > 0 && saved != Some(self.progress.step) {
            self.save(observer)?;
        }
        self.on.settle(&mut self.learner.weights)?;
        let status = match self.guards.stopped_by {
            _ if self.is_done() => Status::Done,
            Some(_) => Status::Guarded,
            None => Status::Interrupted,
        };
        Ok(TrainOutcome {
            status,
            progress: self.progress,
            total_steps: self.total_steps,
            resumed_from: self.resumed_from,
            last_step: self.last_step,
            eval: self.eval,
            best: self.best,
            stopped_by: self.guards.stopped_by.filter(|_| status == Status::Guarded),
        })
    }

    /// Every so many steps, and after the last one.
    fn is_due_at(&self, step: u64, every: Option<u64>) -> bool {
        step >= self.total_steps || every.is_some_and(|every| step.is_multiple_of(every))
    }

    fn is_evaluated_at(&self, step: u64) -> bool {
        !self.data.eval.is_empty() && self.is_due_at(step, self.config.eval_every)
    }

    fn step(&mut self) -> Result<StepMetrics, TrainError> {
        let start = Instant::now();
        let batch = self.feed.next_batch()?;
        let examples: Vec<&TrainExample> = batch.iter().map(Cow::as_ref).collect();
        let learning_rate = self.schedule.at(self.progress.step);
        let (sums, grad_norm) = self.change(&examples, learning_rate)?;
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
            weights: WeightMetrics::new(&sums, self.objective),
            lengths: sums.lengths,
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

    /// Moves the weights by one step, and returns the norm of the mean's gradient; `None` for an empty batch, which moves
    /// nothing.
    fn change(
        &mut self,
        examples: &[&TrainExample],
        learning_rate: f64,
    ) -> Result<(Sums, Option<f64>), TrainError> {
        zero(self.on, &mut self.grads)?;
        let total = accumulate(&mut self.learner.context(), examples, self.grads.borrow_mut())?;
        let n_units = total.sums.loss.weight();
        let (quantity, rows) = if !total.not_finite.is_empty() {
            (Quantity::Loss, total.not_finite)
        } else if n_units == 0.0 {
            return Ok((total.sums, None));
        } else {
            let (weights, gradient) = (&mut self.learner.weights, (self.grads.borrow(), n_units));
            let norm = self.optimizer.update(self.on, weights, gradient, learning_rate, self.config)?;
            if norm.is_finite() {
                return Ok((total.sums, Some(norm)));
            }
            let rows = rows_at_fault(self.on, &mut self.learner.context(), examples, &mut self.grads)?;
            (Quantity::Gradient, rows)
        };
        let step = self.progress.step + 1;
        let failed = FailedBatch { step, quantity, learning_rate, rows: &rows, examples };
        // Where it cannot be written, what went wrong in the first place is still what to say.
        let saved = self.folder.as_ref().and_then(|folder| folder.save_failed(&failed).ok());
        Err(TrainError::Diverged { quantity, step, rows, saved })
    }

    fn evaluate(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let start = Instant::now();
        let report = evaluate_checked(
            self.learner.passes(),
            self.data.eval,
            (self.objective, self.data.beside.weights),
            self.config.tokens_per_batch,
        )?;
        self.pace.note_eval(start.elapsed());
        let step = self.progress.step;
        let epoch = self.feed.cursor().epochs(self.data.examples.len());
        if let Some(folder) = &mut self.folder {
            folder.log_eval(step, epoch, &report)?;
        }
        observer.on_eval(step, &report);
        warn(step, self.guards.after_eval(&report, self.config), observer);
        self.best = self.config.keep_best.and_then(|metric| Best::of(self.best, metric, &report, step));
        self.eval = Some(report);
        Ok(())
    }

    fn save(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        let start = Instant::now();
        let step = self.progress.step;
        let cursor = self.feed.cursor();
        let state = State {
            best: self.best,
            guards: self.guards.clone(),
            ..State::new(folder.fingerprint(), self.progress, cursor, self.optimizer.step)
        };
        let snapshot = Snapshot {
            config: self.learner.config,
            parameters: self.on.settle(&mut self.learner.weights)?,
            m: self.on.to_values(&self.optimizer.m)?,
            v: self.on.to_values(&self.optimizer.v)?,
        };
        let path = folder.save(&snapshot, state, self.config)?;
        self.pace.note_save(start.elapsed());
        observer.on_checkpoint(step, &path);
        Ok(())
    }
}

fn warn(step: u64, alarms: Vec<Alarm>, observer: &mut dyn Observer) {
    for alarm in alarms {
        observer.on_warning(&Warning::Guard { step, alarm });
    }
}

/// The batches of a run from `cursor` on; an order that does not fit into memory lies in its folder.
fn feed<'a>(examples: Examples<'a>, config: &TrainConfig, cursor: Cursor, dir: Option<&Path>) -> Feed<'a> {
    let place = OrderPlace::in_dir(dir.map_or_else(std::env::temp_dir, Path::to_path_buf));
    Feed::new(examples, Shuffler::new(examples.len(), config.seed, cursor, place), config.batch_size)
}
