//! Hugging Face model folders: `config.json`, safetensors in one file or in shards, tokenizer files.

mod files;
mod mapped;
mod names;
mod read;
pub(crate) mod small_file;
mod write;

use std::path::Path;

pub use files::{model_files, tokenizer_files};

use crate::{ModelConfig, ModelError, Parameters};

impl ModelConfig {
    /// The configuration in `config.json` of a model folder.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] where the file cannot be read; as [`ModelConfig::from_json`] where it is not understood.
    pub fn from_model_dir(dir: &Path) -> Result<Self, ModelError> {
        Self::from_object(small_file::read_json(&dir.join("config.json"))?)
    }
}

/// A configuration and its weights.
#[derive(Debug, Clone)]
pub struct Model {
    /// The shape.
    pub config: ModelConfig,
    /// The weights.
    pub parameters: Parameters,
}

impl Model {
    /// The model in `dir`: `config.json` and `model.safetensors`, or shards named by `model.safetensors.index.json`, in
    /// f32, f16 or bf16.
    ///
    /// Every tensor that the configuration implies is looked up and its shape compared before anything is allocated.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Io`], [`ModelError::Json`], [`ModelError::Safetensors`] where a file cannot be read.
    /// * [`ModelError::UnknownModelType`], [`ModelError::ConfigValue`] where the configuration is not understood.
    /// * [`ModelError::NoWeights`], [`ModelError::ShardName`], [`ModelError::MissingTensor`],
    ///   [`ModelError::TensorShape`], [`ModelError::TensorType`], [`ModelError::NonFiniteWeight`] where weights are not
    ///   what the configuration says.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let config = ModelConfig::from_model_dir(dir)?;
        let parameters = read::parameters(dir, &config)?;
        Ok(Self { config, parameters })
    }

    /// Writes `config.json` and `model.safetensors` (f32) into `dir`, and copies the tokenizer's files from
    /// `tokenizer_from`. All files are written under temporary names and flushed before the first is renamed, the weights
    /// last, so a folder with `model.safetensors` is a whole one: where it is written again with the same configuration and
    /// tokenizer, a crash at any moment leaves the old weights or the new ones. Where these differ, the old weights are
    /// removed before the first rename, and a crash between the renames leaves a folder that lacks weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] where a file cannot be written or copied, [`ModelError::Safetensors`] where the weights cannot
    /// be serialised.
    pub fn save(&self, dir: &Path, tokenizer_from: Option<&Path>) -> Result<(), ModelError> {
        write::model(self, dir, tokenizer_from)
    }

    /// Checks that every id a tokenizer can produce has an embedding.
    ///
    /// # Errors
    ///
    /// [`ModelError::VocabularyTooSmall`] where it has not.
    pub fn check_vocabulary(&self, largest_id: u32) -> Result<(), ModelError> {
        let vocab = self.config.vocab;
        if largest_id as usize >= vocab {
            return Err(ModelError::VocabularyTooSmall { largest_id, vocab });
        }
        Ok(())
    }
}
