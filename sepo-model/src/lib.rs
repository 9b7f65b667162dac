//! Decoder-only transformers in Hugging Face folders: read, run forward, run backward, generate, write.
//!
//! Llama, Mistral, GPT-NeoX (Pythia), Qwen2 and Qwen3, with hand-written forward and backward passes on the kernels of
//! [`sepo_kernels`]. The network is **one differentiable node**: token ids in, one log-probability per requested row out,
//! one number per row back in. Losses live elsewhere and never see a logit.
//!
//! * [`Model`] is a folder: configuration and weights. [`Parameters`] is all weights in one flat buffer.
//! * [`Network`] runs batches ([`SequenceBatch`]): segments that share a parent compute it once, and the head runs at the
//!   requested rows only.
//! * [`TokenClassifier`] says of every token how likely it is good: a linear head on a frozen model's states.
//! * [`generate`] samples continuations with a key-value cache.
//!
//! Not here: tokenizers and data (`sepo-data`), losses (`sepo-loss`), optimizers (`sepo-train`).

mod architecture;
mod backend;
mod batch;
mod classifier;
mod config;
mod dtype;
mod error;
mod folder;
mod frozen;
mod generate;
mod init;
mod network;
mod parameters;

pub use backend::{Backend, Cpu, Cuda, DeviceBuffer, FrozenHead, MAX_KEPT_LOGITS, States};
pub use batch::{RowValues, SequenceBatch};
pub use classifier::{PairTokens, ResponseStates, TokenClassifier, classifier_files};
pub use config::{Biases, Family, Mlp, ModelConfig, Norm, Residual};
pub use dtype::Dtype;
pub use error::ModelError;
pub use folder::{Model, model_files, tokenizer_files};
pub use frozen::FrozenModel;
pub use generate::{GenerateConfig, generate, generate_on};
pub use network::{Activations, Flops, Network};
pub use parameters::{ParameterInfo, Parameters};
