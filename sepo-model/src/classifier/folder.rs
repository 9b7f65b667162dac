//! A classifier's folder: `classifier.json` and `classifier.safetensors`.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::{ClassifierConfig, TokenClassifier};
use crate::ModelError;
use crate::folder::small_file::{read_at_most, read_json};

const CONFIG: &str = "classifier.json";
const WEIGHTS: &str = "classifier.safetensors";
/// Names of `torch.nn.Linear(hidden_size, 1)` as `score`, as in `LlamaForTokenClassification`.
const TENSORS: [&str; 2] = ["score.weight", "score.bias"];

/// Most bytes of the weights: a state of a million values has a sixteenth of it.
const MAX_BYTES: u64 = 64 << 20;

/// The files of the classifier in `dir`, in a fixed order; none where one of them is missing. Nothing is read.
///
/// # Examples
///
/// ```
/// assert!(sepo_model::classifier_files("no such folder".as_ref()).is_empty());
/// ```
#[must_use]
pub fn classifier_files(dir: &Path) -> Vec<PathBuf> {
    let files = [CONFIG, WEIGHTS].map(|name| dir.join(name));
    if files.iter().all(|path| path.is_file()) { files.to_vec() } else { Vec::new() }
}

impl TokenClassifier {
    /// The classifier in `dir`.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Io`], [`ModelError::Json`], [`ModelError::Safetensors`] where a file cannot be read.
    /// * [`ModelError::MissingTensor`], [`ModelError::TensorShape`], [`ModelError::TensorType`],
    ///   [`ModelError::NonFiniteWeight`] where weights are not what the configuration says.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let config: ClassifierConfig = read_json(&dir.join(CONFIG))?;
        let path = dir.join(WEIGHTS);
        let bytes =
            read_at_most(&path, MAX_BYTES).map_err(|source| ModelError::Io { path: path.clone(), source })?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|source| ModelError::Safetensors { path: path.clone(), source })?;
        let shapes = [vec![1, config.hidden_size], vec![1]];
        let mut parameters = Vec::new();
        for (name, shape) in TENSORS.into_iter().zip(shapes) {
            let Ok(view) = file.tensor(name) else {
                return Err(ModelError::MissingTensor { path, name: name.to_owned(), shape });
            };
            parameters.extend(values(&path, name, &view, shape)?);
        }
        Ok(Self { parameters, config })
    }

    /// Writes `classifier.json` and `classifier.safetensors` (f32) into `dir`, both complete under temporary names before the first is
    /// renamed.
    ///
    /// # Errors
    ///
    /// [`ModelError::Io`] where a file cannot be written, [`ModelError::Safetensors`] where the weights cannot be serialised.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        let io = |path: PathBuf| move |source| ModelError::Io { path, source };
        fs::create_dir_all(dir).map_err(io(dir.to_owned()))?;
        let config = serde_json::to_string_pretty(&self.config)
            .map_err(|source| ModelError::Json { path: dir.join(CONFIG), source })?;
        let files = [(CONFIG, (config + "\n").into_bytes()), (WEIGHTS, self.serialized(&dir.join(WEIGHTS))?)];
        let temporary = |name: &str| dir.join(format!(".{name}.tmp"));
        for (name, bytes) in &files {
            let path = temporary(name);
            let write = || {
                let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
                file.write_all(bytes)?;
                file.sync_all()
            };
            write().map_err(io(path.clone()))?;
        }
        for (name, _) in &files {
            fs::rename(temporary(name), dir.join(name)).map_err(io(dir.join(name)))?;
        }
        Ok(())
    }

    fn serialized(&self, path: &Path) -> Result<Vec<u8>, ModelError> {
        let failed = |source| ModelError::Safetensors { path: path.to_owned(), source };
        let bytes: &[u8] = bytemuck::cast_slice(&self.parameters);
        let (weight, bias) = bytes.split_at(4 * self.config.hidden_size);
        let views = [
            (
                TENSORS[0],
                TensorView::new(Dtype::F32, vec![1, self.config.hidden_size], weight).map_err(failed)?,
            ),
            (TENSORS[1], TensorView::new(Dtype::F32, vec![1], bias).map_err(failed)?),
        ];
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        safetensors::serialize(views, Some(metadata)).map_err(failed)
    }
}

/// The finite f32 values of a tensor of that shape.
fn values(
    path: &Path,
    name: &str,
    view: &TensorView<'_>,
    expected: Vec<usize>,
) -> Result<Vec<f32>, ModelError> {
    let (path, name) = (path.to_owned(), name.to_owned());
    if view.shape() != expected {
        return Err(ModelError::TensorShape { path, name, found: view.shape().to_vec(), expected });
    }
    if view.dtype() != Dtype::F32 {
        return Err(ModelError::TensorType { path, name, dtype: format!("{:?}", view.dtype()) });
    }
    let values: Vec<f32> = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    match values.iter().position(|value| !value.is_finite()) {
        Some(element) => Err(ModelError::NonFiniteWeight { path, name, element }),
        None => Ok(values),
    }
}
