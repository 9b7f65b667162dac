//! A file, by what is in it.

use std::path::Path;

use sepo_data::content_hash;
use serde::{Deserialize, Serialize};

use crate::exit::{CliError, io_error};

/// A file's name and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// Of a model folder's file, its name in the folder; else the way to it from the artifact's folder.
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) blake3: String,
}

impl Content {
    /// What is at `path` now.
    pub(crate) fn of(name: String, path: &Path) -> Result<Self, CliError> {
        let bytes = std::fs::metadata(path).map_err(|source| io_error(path, source))?.len();
        Ok(Self { name, bytes, blake3: content_hash(path)? })
    }

    /// The same under the file's own name.
    pub(crate) fn at(path: &Path) -> Result<Self, CliError> {
        Self::of(Self::name_of(path), path)
    }

    /// A file's name without its folder.
    pub(crate) fn name_of(path: &Path) -> String {
        path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The files of the model folder `dir`, or of a classifier's, by their names in it.
pub(crate) fn of_model(dir: &Path) -> Result<Vec<Content>, CliError> {
    let classifier = sepo_model::classifier_files(dir);
    let files = if classifier.is_empty() { sepo_model::model_files(dir)? } else { classifier };
    files.iter().map(|path| Content::at(path)).collect()
}

/// Whether `dir` has the files of a model, or of a classifier.
pub(super) fn is_model(dir: &Path) -> bool {
    dir.join("config.json").is_file() || !sepo_model::classifier_files(dir).is_empty()
}

/// The files of the tokenizer in `dir`, by their names in it.
pub(crate) fn of_tokenizer(dir: &Path) -> Result<Vec<Content>, CliError> {
    sepo_model::tokenizer_files(dir).iter().map(|path| Content::at(path)).collect()
}

/// One hash for files in their order: that of a single one, else blake3 over their hashes, a line each.
pub(crate) fn digest(files: &[Content]) -> String {
    match files {
        [file] => file.blake3.clone(),
        files => {
            let lines: String = files.iter().map(|file| format!("{}\n", file.blake3)).collect();
            blake3::hash(lines.as_bytes()).to_hex().to_string()
        }
    }
}

/// How `now` differs from what is `recorded`, in words; empty where it does not.
pub(crate) fn differences(recorded: &[Content], now: &[Content]) -> Vec<Difference> {
    let find =
        |contents: &[Content], name: &str| contents.iter().find(|content| content.name == name).cloned();
    let mut differences = Vec::new();
    for before in recorded {
        let found = find(now, &before.name);
        if found.as_ref().is_none_or(|found| found.blake3 != before.blake3) {
            let found = found.map(|found| found.blake3);
            differences.push(Difference {
                name: before.name.clone(),
                recorded: Some(before.blake3.clone()),
                found,
            });
        }
    }
    for new in now.iter().filter(|new| find(recorded, &new.name).is_none()) {
        differences.push(Difference {
            name: new.name.clone(),
            recorded: None,
            found: Some(new.blake3.clone()),
        });
    }
    differences
}

/// A file that is not what a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) name: String,
    /// Nothing where the record knows no such file.
    pub(crate) recorded: Option<String>,
    /// Nothing where the file is missing.
    pub(crate) found: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        match (&self.recorded, &self.found) {
            (Some(recorded), Some(found)) => {
                write!(f, "`{}` is blake3 {}, recorded was {}", self.name, short(found), short(recorded))
            }
            (Some(_), None) => write!(f, "`{}` is missing", self.name),
            (None, _) => write!(f, "`{}` is new", self.name),
        }
    }
}
