//! What a stage reads, by content.

use std::path::{Path, PathBuf};

use sepo_data::{content_hash, is_url, local_paths};
use serde::{Deserialize, Serialize};

use crate::exit::{CliError, Exit, io_error};

/// Name of the record that every stage leaves in its folder, and which is no part of what it made.
pub(super) const STAGE_FILE: &str = "stage.json";

/// Something that a stage reads.
#[derive(Debug, Clone)]
pub(super) struct Input {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Files, folders or globs.
    Data(Vec<String>),
    Model(PathBuf),
    File(PathBuf),
}

/// A file that a stage read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hashed {
    /// Its role and name.
    pub(super) name: String,
    /// Where it lay; for people, never compared.
    pub(super) path: PathBuf,
    pub(super) content_hash: String,
}

impl Input {
    pub(super) fn data(name: &str, inputs: &[String]) -> Self {
        Self { name: name.to_owned(), kind: Kind::Data(inputs.to_vec()) }
    }

    pub(super) fn model(name: &str, dir: &Path) -> Self {
        Self { name: name.to_owned(), kind: Kind::Model(dir.to_owned()) }
    }

    pub(super) fn file(name: &str, path: &Path) -> Self {
        Self { name: name.to_owned(), kind: Kind::File(path.to_owned()) }
    }

    /// A file that a stage before wrote.
    pub(super) fn made(name: &str, path: PathBuf) -> Self {
        Self { name: name.to_owned(), kind: Kind::File(path) }
    }

    /// A model that a stage before wrote.
    pub(super) fn made_model(name: &str, dir: PathBuf) -> Self {
        Self { name: name.to_owned(), kind: Kind::Model(dir) }
    }

    /// Every file of it with its content hash, in a fixed order.
    pub(super) fn hashed(&self) -> Result<Vec<Hashed>, CliError> {
        let hashed = |name: String, path: PathBuf| {
            Ok::<_, CliError>(Hashed { name, content_hash: content_hash(&path)?, path })
        };
        let below = |path: &Path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            format!("{}/{}", self.name, name.unwrap_or_default())
        };
        match &self.kind {
            Kind::File(path) => Ok(vec![hashed(self.name.clone(), path.clone())?]),
            Kind::Model(dir) => {
                sepo_model::model_files(dir)?.into_iter().map(|path| hashed(below(&path), path)).collect()
            }
            // Rows are numbered in reading order, so the order of the files counts.
            Kind::Data(inputs) => data_files(inputs)?
                .into_iter()
                .enumerate()
                .map(|(i, path)| hashed(format!("{}[{i}]", self.name), path))
                .collect(),
        }
    }
}

/// The files that `inputs` name, in reading order. Of a folder, every file that is not hidden, of whichever split.
fn data_files(inputs: &[String]) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for input in inputs {
        if is_url(input) {
            local_paths(input)?.iter().try_for_each(|path| add(path, &mut files))?;
            continue;
        }
        let path = Path::new(input);
        if path.exists() {
            add(path, &mut files)?;
            continue;
        }
        let matches = glob::glob(input).map_err(|error| CliError::of(Exit::Data, error))?;
        for path in matches {
            let path = path.map_err(|error| {
                let path = error.path().to_owned();
                io_error(&path, error.into())
            })?;
            add(&path, &mut files)?;
        }
    }
    Ok(files)
}

fn add(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    files.extend(files_in(path)?);
    // `data/`, or one folder a split: no data set lies deeper.
    for dir in entries(path)?.into_iter().filter(|path| path.is_dir()) {
        files.extend(files_in(&dir)?);
    }
    Ok(())
}

fn files_in(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    Ok(entries(dir)?.into_iter().filter(|path| path.is_file()).collect())
}

/// What is in a folder and not hidden, by name.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut paths = read().map_err(|source| io_error(dir, source))?;
    let is_hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    paths.retain(|path| !is_hidden(path));
    paths.sort();
    Ok(paths)
}
