//! The public face of a run.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use sepo_loss::Objective;
use sepo_model::{Cpu, Model};
use serde::{Deserialize, Serialize};

use crate::backend::TrainBackend;
use crate::beside::check_inputs;
use crate::run::Run;
use crate::{Beside, Best, EvalReport, Examples, GuardName, Observer, StepMetrics, TrainConfig, TrainError};

/// What a run learns from, and what it is measured on.
#[derive(Debug, Clone, Copy)]
pub struct TrainData<'a> {
    /// Examples to train on.
    pub examples: Examples<'a>,
    /// Examples that are only looked at; may be empty.
    pub eval: Examples<'a>,
    /// What examples cannot bring, for objectives that read it.
    pub beside: Beside<'a>,
}

impl<'a> TrainData<'a> {
    /// Examples to train on, in memory or on disk, and none to look at.
    pub fn new(examples: impl Into<Examples<'a>>) -> Self {
        Self { examples: examples.into(), eval: Examples::NONE, beside: Beside::default() }
    }

    /// The same with examples that are only looked at.
    #[must_use]
    pub fn with_eval(self, eval: impl Into<Examples<'a>>) -> Self {
        Self { eval: eval.into(), ..self }
    }

    /// The same with a frozen model, or weights that are made anew in every step.
    #[must_use]
    pub fn with_beside(self, beside: Beside<'a>) -> Self {
        Self { beside, ..self }
    }
}

/// Where a run computes and writes, who watches it, and how it is stopped.
pub struct RunOptions<'a, B = Cpu> {
    /// [`Cpu`], or a GPU, where weights, gradient and moments then stay until the run returns.
    pub on: &'a B,
    /// Folder of `metrics.jsonl` and the checkpoints; `None` writes nothing and cannot be resumed.
    pub dir: Option<&'a Path>,
    /// Is told of every step, evaluation, checkpoint and oddity.
    pub observer: &'a mut dyn Observer,
    /// Set it from anywhere: the step that is going on is finished, a checkpoint written, and the run returns.
    pub interrupt: &'a AtomicBool,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps made.
    pub step: u64,
    /// Steps of these that changed nothing, as their batch had no tokens to learn from.
    pub n_empty_batches: u64,
    /// Examples met that had no tokens to learn from, counted again in every epoch.
    pub n_empty_pairs: u64,
}

/// Why a run returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All steps are made.
    Done,
    /// It was asked to stop, or the deadline came near; the same call goes on from there.
    Interrupted,
    /// A guard of [`TrainConfig::stop_on`] stopped it; it goes on once that does not name the guard any more.
    Guarded,
}

/// What a run came to. The model holds the trained weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainOutcome {
    /// Whether all steps are made.
    pub status: Status,
    /// Counts since the run began, steps before a resume included.
    pub progress: Progress,
    /// Steps that the configuration asks for.
    pub total_steps: u64,
    /// Step of the checkpoint from which this call went on.
    pub resumed_from: Option<u64>,
    /// The last step of the run, of an earlier call where this one had nothing left to do.
    pub last_step: Option<StepMetrics>,
    /// The last evaluation of the run.
    pub eval: Option<EvalReport>,
    /// The best evaluation of the whole run, where [`TrainConfig::keep_best`] asks for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub best: Option<Best>,
    /// The guard that stopped the run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stopped_by: Option<GuardName>,
}

/// Trains `model` in place, or goes on with a run that was stopped, and returns how it went.
///
/// One step: the next `batch_size` examples in shuffled order are split into forward passes of at most
/// `tokens_per_batch` tokens; the gradient of their summed loss is divided by the units of the whole batch, clipped, and
/// handed to AdamW. Only rows with a weight are computed. A batch without any changes nothing but counts as a step.
///
/// # Resume
///
/// If `dir` holds checkpoints, the newest whole one is read and the run goes on from there, `metrics.jsonl` cut back to
/// the same step; the weights, moments and metrics (times aside) are those of a run that never stopped, bit for bit. So
/// `model` must be given as it was before the first step. A run that had finished returns at once, and so does one that a
/// guard of `stop_on` had stopped.
///
/// # Errors
///
/// * [`TrainError::InvalidConfig`], [`TrainError::NoExamples`], [`TrainError::NoReference`], [`TrainError::Length`],
///   [`TrainError::NotFinite`], [`TrainError::WeightWithoutPrompt`], [`TrainError::Loss`] before anything is touched.
/// * [`TrainError::NoReferenceModel`], [`TrainError::NoTeacher`], [`TrainError::OtherVocabulary`], [`TrainError::WeightsLearned`] where the objective reads what
///   is not there; [`TrainError::StepWeights`] where weights of a step are no weights.
/// * [`TrainError::OtherDtype`] where the device computes with other numbers than `config` asks for.
/// * [`TrainError::NoEvaluation`] where the best checkpoint is to be kept and there is nothing to evaluate on.
/// * [`TrainError::Lock`] where another run goes on in `dir`.
/// * [`TrainError::ConfigChanged`] where `dir` holds a run of other settings, data or starting weights. `epochs`
///   and `max_steps` are settings too, since the learning rate of every step follows from them.
/// * [`TrainError::Diverged`] where a log-prob, a loss or a gradient is not finite.
/// * [`TrainError::Io`], [`TrainError::Json`], [`TrainError::Safetensors`] where the folder cannot be used.
/// * [`TrainError::DamagedExamples`] where examples lie on disk and one is not what was written.
/// * [`TrainError::Model`], [`TrainError::Pack`] where a batch cannot run, such as for an id beyond the vocabulary.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::AtomicBool;
///
/// use sepo_loss::Objective;
/// use sepo_model::{Cpu, Model, ModelConfig};
/// use sepo_train::{RunOptions, Silent, TrainConfig, TrainData, TrainExample, train};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let mut model = Model::random(config, 7)?;
/// let examples = [TrainExample::text(0, vec![1, 2, 3, 4]), TrainExample::text(1, vec![1, 5, 6])];
/// let settings = TrainConfig { learning_rate: 0.01, epochs: 20.0, ..TrainConfig::default() };
/// let outcome = train(
///     &mut model,
///     TrainData::new(&examples),
///     &Objective::Sft,
///     &settings,
///     RunOptions { on: &Cpu, dir: None, observer: &mut Silent, interrupt: &AtomicBool::new(false) },
/// )?;
/// assert!(outcome.last_step.and_then(|step| step.loss).is_some_and(|loss| loss < 11f64.ln()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn train<B: TrainBackend>(
    model: &mut Model,
    data: TrainData<'_>,
    objective: &Objective,
    config: &TrainConfig,
    options: RunOptions<'_, B>,
) -> Result<TrainOutcome, TrainError> {
    config.check()?;
    objective.check()?;
    check_inputs(objective)?;
    if data.examples.is_empty() {
        return Err(TrainError::NoExamples);
    }
    if config.keep_best.is_some() && data.eval.is_empty() {
        return Err(TrainError::NoEvaluation);
    }
    if let Some(found) = B::DTYPE.filter(|found| *found != config.dtype) {
        return Err(TrainError::OtherDtype { asked: config.dtype, found });
    }
    data.examples.check(objective)?;
    data.eval.check(objective)?;
    let RunOptions { on, dir, observer, interrupt } = options;
    let mut run = Run::begin(on, model, data, (objective, config), dir, observer)?;
    while run.goes_on(observer) && !interrupt.load(Ordering::Relaxed) {
        run.advance(observer)?;
    }
    run.finish(observer)
}
