//! Weights, configuration and tokenizer files out.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};

use super::Model;
use super::names::{INDEX, TOKENIZER_FILES, WEIGHTS};
use crate::ModelError;

/// Folder, within the model's, of files that are being written.
const UNFINISHED: &str = ".unfinished";

/// First every file in a temporary folder, on the disk; then the names, the weights' last.
///
/// So whatever can fail for want of space, fails while the old folder is whole. A file that is there already with the same
/// bytes is left alone: a folder that is written again for the same configuration and tokenizer changes with one rename,
/// that of the weights. Where another configuration or tokenizer is replaced, the old weights go first, since old weights
/// beside a new configuration would be a model that never was.
pub(super) fn model(model: &Model, dir: &Path, tokenizer_from: Option<&Path>) -> Result<(), ModelError> {
    fs::create_dir_all(dir).map_err(|source| ModelError::Io { path: dir.to_owned(), source })?;
    let mut files = Staged::begin(dir)?;
    files.add("config.json", model.config.to_json().as_bytes())?;
    if let Some(from) = tokenizer_from.filter(|from| *from != dir) {
        for name in TOKENIZER_FILES {
            let path = from.join(name);
            if path.is_file() {
                let bytes = fs::read(&path).map_err(|source| ModelError::Io { path, source })?;
                files.add(name, &bytes)?;
            }
        }
    }
    files.stage(WEIGHTS, |path| serialize(model, path))?;
    files.publish()
}

fn serialize(model: &Model, path: &Path) -> Result<(), ModelError> {
    let failed = |source| ModelError::Safetensors { path: path.to_owned(), source };
    let values = model.parameters.as_slice();
    let views = model
        .parameters
        .layout()
        .iter()
        .map(|info| {
            let bytes = bytemuck::cast_slice(&values[info.range.clone()]);
            Ok((info.name.as_str(), TensorView::new(Dtype::F32, info.shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(failed)?;
    // `transformers` refuses a file whose metadata does not name the framework.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(failed)
}

/// Files of a folder that are complete within [`UNFINISHED`]. What a kill leaves there goes the next time; dropped without
/// [`publish`](Self::publish), they are removed.
struct Staged<'a> {
    dir: &'a Path,
    names: Vec<&'static str>,
    /// Whether a file with other content is replaced.
    replaces: bool,
}

impl<'a> Staged<'a> {
    fn begin(dir: &'a Path) -> Result<Self, ModelError> {
        let path = dir.join(UNFINISHED);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
        .and_then(|()| fs::create_dir(&path))
        .map_err(|source| ModelError::Io { path, source })?;
        Ok(Self { dir, names: Vec::new(), replaces: false })
    }

    /// Adds a file, unless it is there with these bytes.
    fn add(&mut self, name: &'static str, bytes: &[u8]) -> Result<(), ModelError> {
        let path = self.dir.join(name);
        match fs::read(&path) {
            Ok(found) if found == bytes => return Ok(()),
            Ok(_) => self.replaces = true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ModelError::Io { path, source }),
        }
        self.stage(name, |path| {
            fs::write(path, bytes).map_err(|source| ModelError::Io { path: path.to_owned(), source })
        })
    }

    fn stage(
        &mut self,
        name: &'static str,
        write: impl FnOnce(&Path) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        self.names.push(name);
        let path = self.temporary(name);
        write(&path)?;
        let file = OpenOptions::new().write(true).open(&path);
        file.and_then(|file| file.sync_all()).map_err(|source| ModelError::Io { path, source })
    }

    fn publish(self) -> Result<(), ModelError> {
        if self.replaces {
            for name in [WEIGHTS, INDEX] {
                let path = self.dir.join(name);
                match fs::remove_file(&path) {
                    Err(source) if source.kind() != io::ErrorKind::NotFound => {
                        return Err(ModelError::Io { path, source });
                    }
                    _ => {}
                }
            }
            sync_folder(self.dir)?;
        }
        // The weights come last. They leave the temporary folder before, so that nothing of it is there when all is done.
        for name in self.names.iter().filter(|name| **name != WEIGHTS) {
            self.rename(&self.temporary(name), name)?;
        }
        let last = self.dir.join(format!(".{WEIGHTS}.tmp"));
        let moved = fs::rename(self.temporary(WEIGHTS), &last).and_then(|()| fs::remove_dir(self.folder()));
        moved.map_err(|source| ModelError::Io { path: last.clone(), source })?;
        sync_folder(self.dir)?;
        self.rename(&last, WEIGHTS)?;
        sync_folder(self.dir)
    }

    fn rename(&self, from: &Path, name: &str) -> Result<(), ModelError> {
        let path = self.dir.join(name);
        fs::rename(from, &path).map_err(|source| ModelError::Io { path, source })
    }

    fn folder(&self) -> PathBuf {
        self.dir.join(UNFINISHED)
    }

    fn temporary(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.folder());
    }
}

/// Makes names in a folder lasting. Only Unix can open a folder as a file; elsewhere the system is trusted.
fn sync_folder(path: &Path) -> Result<(), ModelError> {
    if cfg!(unix) {
        let synced = File::open(path).and_then(|folder| folder.sync_all());
        synced.map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
    }
    Ok(())
}
