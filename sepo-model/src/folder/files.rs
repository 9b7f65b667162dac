//! What a model folder consists of.

use std::path::{Path, PathBuf};

use super::names::{INDEX, TOKENIZER_FILES};
use super::read::weight_files;
use crate::ModelError;

/// The files of the model folder `dir` that decide what its model computes and how it reads text, those that are there:
/// `config.json`, the weights (with their index where they lie in shards), the tokenizer's files and its chat template.
/// Their order is fixed. Nothing is read but the index.
///
/// # Errors
///
/// * [`ModelError::NoWeights`] where neither `model.safetensors` nor an index is there.
/// * [`ModelError::Io`], [`ModelError::Json`], [`ModelError::ShardName`] where the index is of no use.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// # for name in ["README.md", "config.json", "model.safetensors", "tokenizer.json"] {
/// #     std::fs::write(dir.join(name), "")?;
/// # }
/// let files = sepo_model::model_files(dir)?;
/// assert_eq!(files, ["config.json", "model.safetensors", "tokenizer.json"].map(|name| dir.join(name)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn model_files(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let weights = weight_files(dir)?;
    let mut files = vec![dir.join("config.json")];
    if weights.has_index() {
        files.push(dir.join(INDEX));
    }
    files.extend(weights.files);
    files.extend(tokenizer_files(dir));
    files.retain(|path| path.is_file());
    Ok(files)
}

/// The files of the tokenizer in `dir`, those that are there, in a fixed order. Nothing is read.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// # for name in ["tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
/// #     std::fs::write(dir.join(name), "")?;
/// # }
/// let files = sepo_model::tokenizer_files(dir);
/// assert_eq!(files, ["tokenizer.json", "tokenizer_config.json"].map(|name| dir.join(name)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn tokenizer_files(dir: &Path) -> Vec<PathBuf> {
    TOKENIZER_FILES.map(|name| dir.join(name)).into_iter().filter(|path| path.is_file()).collect()
}
