//! A run between two calls of the outside world: everything that lives from step to step.

use std::borrow::Cow;
use std::path::Path;
use std::time::Instant;

use sepo_loss::Objective;
use sepo_model::{Activations, Model, Network};

use crate::beside::{Companion, reads_collisions};
use crate::checkpoint::State;
use crate::diagnose::{FailedBatch, rows_at_fault};
use crate::evaluate::evaluate_checked;
use crate::feed::Feed;
use crate::fingerprint::Fingerprint;
use crate::gradient::{GradientContext, accumulate};
use crate::guard::Guards;
use crate::memory::peak_rss_bytes;
use crate::n_steps::total_steps;
use crate::optimizer::{Optimizer, mean_and_clip, mean_norm, zero};
use crate::order::OrderPlace;
use crate::pace::{Next, Pace};
use crate::pass::Passes;
use crate::run_folder::RunFolder;
use crate::shuffle::Shuffler;
use crate::sums::Sums;
use crate::{
    ActivationPolicy, Alarm, Best, Cursor, EvalReport, Examples, Observer, PreferenceMetrics, Progress,
    Quantity, Schedule, Status, StepMetrics, TrainConfig, TrainData, TrainError, TrainExample, TrainOutcome,
    Warning, WeightMetrics,
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
    companion: Option<Companion<'a>>,
    optimizer: Optimizer,
    grads: Vec<f32>,
    progress: Progress,
    folder: Option<RunFolder>,
    resumed_from: Option<u64>,
    last_step: Option<StepMetrics>,
    eval: Option<EvalReport>,
    best: Option<Best>,
    guards: Guards,
    pace: Pace,
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
        let companion = Companion::of(objective, data.beside, model)?;
        let mut optimizer = Optimizer::new(&model.parameters);
        let fingerprint = |model: &Model| Fingerprint::new(model, &data, objective, config);
        let (folder, resumed) = match dir {
            Some(dir) => {
                let (folder, resumed) =
                    RunFolder::open(dir, fingerprint(model)?, (model, &mut optimizer), observer)?;
                if let Some((state, _)) = &resumed {
                    folder.prune(state, config)?;
                }
                (Some(folder), resumed)
            }
            None => (None, None),
        };
        let (state, metrics) = resumed.unzip();
        let metrics = metrics.unwrap_or_default();
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
            companion,
            optimizer,
            grads: vec![0.0; model.parameters.as_slice().len()],
            progress: state.as_ref().map_or(Progress::default(), |state| state.progress),
            resumed_from: state.as_ref().map(|state| state.progress.step),
            folder,
            last_step: metrics.step,
            eval: metrics.eval,
            best: state.as_ref().and_then(|state| state.best),
            guards: state.map(|state| state.guards.resumed(config)).unwrap_or_default(),
            // Weights and two moments.
            pace: Pace::new(3 * size_of_val(model.parameters.as_slice())),
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
    pub(crate) fn advance(
        &mut self,
        model: &mut Model,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        let metrics = self.step(model)?;
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
            self.evaluate(model, observer)?;
            is_best = self.best != before;
        }
        let is_wanted = observer.wants_checkpoint();
        if is_wanted || is_best || self.is_due_at(self.progress.step, self.config.save_every) {
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

    /// Leaves the gradient of the sum in `grads` and returns the norm of the mean's; `None` for an empty batch.
    fn gradient(
        &mut self,
        model: &Model,
        examples: &[&TrainExample],
        learning_rate: f64,
    ) -> Result<(Sums, Option<f64>), TrainError> {
        zero(&mut self.grads);
        let mut context = GradientContext {
            passes: Passes {
                network: &mut self.network,
                parameters: &model.parameters,
                companion: self.companion.as_mut(),
                collisions: reads_collisions(self.objective),
            },
            objective: self.objective,
            weights: self.data.beside.weights,
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
        // Where it cannot be written, what went wrong in the first place is still what to say.
        let saved = self.folder.as_ref().and_then(|folder| folder.save_failed(&failed).ok());
        Err(TrainError::Diverged { quantity, step, rows, saved })
    }

    fn evaluate(&mut self, model: &Model, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let start = Instant::now();
        let passes = Passes {
            network: &mut self.network,
            parameters: &model.parameters,
            companion: self.companion.as_mut(),
            collisions: reads_collisions(self.objective),
        };
        let report = evaluate_checked(
            passes,
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

    fn save(&mut self, model: &Model, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        let start = Instant::now();
        let step = self.progress.step;
        let cursor = self.feed.cursor();
        let state = State {
            best: self.best,
            guards: self.guards.clone(),
            ..State::new(folder.fingerprint(), self.progress, cursor, self.optimizer.step)
        };
        let path = folder.save((model, &self.optimizer), state, self.config)?;
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
