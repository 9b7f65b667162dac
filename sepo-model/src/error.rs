//! What can go wrong between a model folder and a gradient.

use std::path::PathBuf;

/// Errors of reading, checking, running and writing a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file could not be read or written.
    #[error("access {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A JSON file does not parse.
    #[error("parse {path} as JSON")]
    Json {
        /// The file.
        path: PathBuf,
        /// Line and column.
        #[source]
        source: serde_json::Error,
    },
    /// `config.json` lacks a key, or holds a value of the wrong kind or out of range.
    #[error("config key `{key}` is {found}, expected {expected}")]
    ConfigValue {
        /// The key, dotted where nested.
        key: &'static str,
        /// What stands there, `missing` where nothing does.
        found: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// The sizes of `config.json` multiply to more weights than can be addressed.
    #[error("config.json stands for {n_parameters} weights, expected at most {limit}; check its sizes")]
    TooLarge {
        /// Weights by the configuration.
        n_parameters: u128,
        /// The most that are read.
        limit: u128,
    },
    /// A `model_type` that this crate does not know.
    #[error("model_type `{model_type}` is not supported; known: {known}", known = crate::config::KNOWN_MODEL_TYPES)]
    UnknownModelType {
        /// The value of `model_type`.
        model_type: String,
    },
    /// Neither `model.safetensors` nor an index is in the folder.
    #[error("{path} holds neither model.safetensors nor model.safetensors.index.json")]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// An index names a shard outside its own folder.
    #[error("{path} names the shard `{shard}`, which is not a plain file name")]
    ShardName {
        /// The index.
        path: PathBuf,
        /// The offending name.
        shard: String,
    },
    /// A safetensors file is malformed.
    #[error("read {path} as safetensors")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What the format's library said.
        #[source]
        source: safetensors::SafeTensorError,
    },
    /// A tensor that the architecture needs is in no file of the folder.
    #[error("tensor `{name}` of shape {shape:?} is missing in {path}")]
    MissingTensor {
        /// The folder.
        path: PathBuf,
        /// The tensor's Hugging Face name.
        name: String,
        /// The shape that `config.json` implies.
        shape: Vec<usize>,
    },
    /// A tensor's shape is not the one that `config.json` implies.
    #[error("tensor `{name}` in {path} has shape {found:?}, config.json implies {expected:?}")]
    TensorShape {
        /// The folder or file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a type other than f32, f16 or bf16.
    #[error("tensor `{name}` in {path} is {dtype}, expected F32, F16 or BF16")]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The stored type.
        dtype: String,
    },
    /// A weight is not a finite number.
    #[error("tensor `{name}` in {path} holds a non-finite value at element {element}")]
    NonFiniteWeight {
        /// The folder.
        path: PathBuf,
        /// The tensor's name.
        name: String,
        /// The first such element, row-major.
        element: usize,
    },
    /// The tokenizer can produce ids that the embedding does not have.
    #[error("the tokenizer's largest id is {largest_id}, the model's vocabulary has {vocab} entries")]
    VocabularyTooSmall {
        /// The largest id of the tokenizer.
        largest_id: u32,
        /// Rows of the embedding.
        vocab: usize,
    },
    /// A token of a batch, or the target of a row, is outside the vocabulary.
    #[error("token or row target {index} of the batch has id {id}, the vocabulary has {vocab} entries")]
    TokenOutOfVocab {
        /// Flat index of the token, or index of the row.
        index: usize,
        /// The id.
        id: u32,
        /// Rows of the embedding.
        vocab: usize,
    },
    /// Lengths of a batch's parts do not agree.
    #[error("batch has {found} {what}, expected {expected}")]
    BatchShape {
        /// Which part.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that the other parts imply.
        expected: usize,
    },
    /// A classifier reads the states of another model than the one at hand.
    #[error("the classifier was made for a model with weights of blake3 {expected}, and these are {found}")]
    OtherBackbone {
        /// Content hash of the model that it was made for.
        expected: String,
        /// Content hash of the model at hand.
        found: String,
    },
    /// `backward` was called with no `forward` before it.
    #[error("backward needs a forward pass with activations first")]
    NoForward,
    /// A request for generation that cannot be met.
    #[error("{what} is {found}, expected {expected}")]
    GenerateValue {
        /// The setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// The GPU, its driver or one of its libraries failed.
    #[error("run the network on the GPU")]
    Device(#[from] sepo_kernels::cuda::DeviceError),
    /// A kernel refused its input.
    #[error("check the batch's layout")]
    Kernel(#[from] sepo_kernels::KernelError),
}
