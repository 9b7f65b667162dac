//! What can stop a run.

use std::io;
use std::path::{Path, PathBuf};

use sepo_data::Side;
use sepo_model::Dtype;

use crate::{Quantity, RecordDamage};

/// Why a run could not begin, go on, or be written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A field of the configuration is out of its range.
    #[error("`{field}` is {value}; it must be {range}")]
    InvalidConfig {
        /// Field of [`TrainConfig`](crate::TrainConfig).
        field: &'static str,
        /// What it held.
        value: f64,
        /// What it may hold.
        range: &'static str,
    },
    /// There is nothing to train on.
    #[error("there are no examples")]
    NoExamples,
    /// The objective compares with a reference, and an example has none.
    #[error("row {row} has no reference log-probs, and the objective needs them")]
    NoReference {
        /// Row of the example.
        row: u64,
    },
    /// A list that goes with the tokens of a response is longer or shorter than it.
    #[error("row {row} has {found} {what} for {n_tokens} {side} tokens")]
    Length {
        /// Row of the example.
        row: u64,
        /// Which response.
        side: Side,
        /// Which list.
        what: &'static str,
        /// Tokens of the response.
        n_tokens: usize,
        /// Entries of the list.
        found: usize,
    },
    /// A list that goes with the tokens of a response holds a not-a-number or an infinity.
    #[error("row {row} has {what} that are not finite, first at {side} token {token}")]
    NotFinite {
        /// Row of the example.
        row: u64,
        /// Which response.
        side: Side,
        /// Which list.
        what: &'static str,
        /// First such token, counted in the response.
        token: usize,
    },
    /// A classifier of tokens is to learn labels, and a response has none.
    #[error("row {row} has no labels for its {side} tokens")]
    NoLabels {
        /// Row of the example.
        row: u64,
        /// Which response.
        side: Side,
    },
    /// A label is no probability.
    #[error("row {row} has the label {label} at {side} token {token}; labels are from 0 to 1")]
    LabelOutOfRange {
        /// Row of the example.
        row: u64,
        /// Which response.
        side: Side,
        /// The token, counted in the response.
        token: usize,
        /// What it is labelled.
        label: f64,
    },
    /// The first token of a response has a weight, and without a prompt nothing predicts it.
    #[error("row {row} has no prompt, so the first {side} token cannot have a weight")]
    WeightWithoutPrompt {
        /// Row of the example.
        row: u64,
        /// Which response.
        side: Side,
    },
    /// The objective reads divergences from a frozen model, and there is none.
    #[error("`{objective}` reads divergences from a frozen model, and none was given")]
    NoReferenceModel {
        /// Name of the objective.
        objective: &'static str,
    },
    /// The objective distils a teacher made of two frozen models, and there is none.
    #[error("`{objective}` distils a teacher made of two frozen models, and none was given")]
    NoTeacher {
        /// Name of the objective.
        objective: &'static str,
    },
    /// The frozen model has other tokens than the policy.
    #[error("the frozen model has {found} tokens in its vocabulary, the policy {expected}")]
    OtherVocabulary {
        /// Of the policy.
        expected: usize,
        /// Of the frozen model.
        found: usize,
    },
    /// The objective has a gradient for weights that a model makes, and here weights are constants.
    #[error("`{objective}` learns the weights of tokens, and training takes them as they are")]
    WeightsLearned {
        /// Name of the objective.
        objective: &'static str,
    },
    /// Weights of a step are not one finite number a token.
    #[error("the weights `{weights}` of the {side} response of row {row} are not {n_tokens} finite numbers")]
    StepWeights {
        /// [`StepWeights::identity`](crate::StepWeights::identity).
        weights: String,
        /// Row of the example.
        row: u64,
        /// Which response.
        side: Side,
        /// Tokens that count.
        n_tokens: usize,
    },
    /// A log-prob is not finite outside of a training step.
    #[error("log-probs of rows {rows:?} are not finite")]
    LogpsNotFinite {
        /// Rows of one forward pass that have such log-probs.
        rows: Vec<u64>,
    },
    /// A log-prob, a loss or a gradient of a step is not finite. The weights are those before the step.
    #[error("the {quantity} of step {step} is not finite, because of rows {rows:?}")]
    Diverged {
        /// What was not finite.
        quantity: Quantity,
        /// The step that could not be made, from 1.
        step: u64,
        /// Rows that show it when they are run; all rows of the batch, where only their sum does.
        rows: Vec<u64>,
        /// The batch as JSON, where the run has a folder.
        saved: Option<PathBuf>,
    },
    /// The run folder holds a run of other settings, other data or another starting model.
    #[error("`{}` was made with other values of {}", checkpoint.display(), fields.join(", "))]
    ConfigChanged {
        /// Checkpoint that was found.
        checkpoint: PathBuf,
        /// What differs: fields of the configuration, `objective`, `data`, `start_model`.
        fields: Vec<String>,
    },
    /// The configuration asks for other numbers than the device computes with.
    #[error("`dtype` is {}, and the run is on a device with {}", asked.name(), found.name())]
    OtherDtype {
        /// Of the configuration.
        asked: Dtype,
        /// Of the device's numbers.
        found: Dtype,
    },
    /// The best evaluation is to be kept, and there is nothing to evaluate on.
    #[error("the best checkpoint is to be kept, and there are no examples to evaluate it on")]
    NoEvaluation,
    /// Another process trains in the folder.
    #[error(transparent)]
    Lock(#[from] sepo_data::LockError),
    /// A checkpoint is whole, yet does not hold this model's tensors.
    #[error("`{}` does not hold {n_values} values of `{tensor}`", file.display())]
    Tensor {
        /// Tensor file.
        file: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Values that it should hold.
        n_values: usize,
    },
    /// Examples on disk are not what was written.
    #[error(
        "{}the examples on disk at `{}` cannot be used: {damage}",
        record.map(|number| format!("record {number} of ")).unwrap_or_default(),
        path.display()
    )]
    DamagedExamples {
        /// The file, or the folder of a nameless one.
        path: PathBuf,
        /// Number of the example, from 0; none where the file as a whole is damaged.
        record: Option<u64>,
        /// What is wrong.
        damage: RecordDamage,
    },
    /// A file of the run could not be read or written.
    #[error("`{}` could not be read or written", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A value could not be written as JSON.
    #[error("`{}` could not be written as json", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What could not be written.
        #[source]
        source: serde_json::Error,
    },
    /// A tensor file could not be read or written.
    #[error("`{}` could not be read or written as safetensors", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// Examples could not be packed into a batch.
    #[error("a batch could not be packed")]
    Pack(#[from] sepo_data::PackError),
    /// The segments of a batch are no valid layout.
    #[error("a batch has no valid layout")]
    Layout(#[from] sepo_kernels::KernelError),
    /// The model could not run.
    #[error("the model could not run")]
    Model(#[from] sepo_model::ModelError),
    /// The loss could not be computed.
    #[error("the loss could not be computed")]
    Loss(#[from] sepo_loss::LossError),
}

impl TrainError {
    /// Wraps what the system said about `path`; for `map_err`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }
}
