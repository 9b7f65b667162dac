//! From what was typed to files.

use std::path::{Path, PathBuf};

use super::read_config::ReadConfig;
use super::split::{RECORD_ENDING, SplitChoice, split_files};
use crate::{DataError, is_url, local_paths};

/// The files of all inputs in order, and the split taken of each folder among them.
pub(super) struct Inputs {
    pub(super) files: Vec<PathBuf>,
    pub(super) splits: Vec<SplitChoice>,
}

/// The files that `inputs` name, in reading order: those that [`open_pairs`](super::open_pairs) reads.
///
/// # Errors
///
/// * An input that does not exist; a folder without the split; a glob that matches nothing.
///
/// # Examples
///
/// ```
/// use sepo_data::{ReadConfig, input_files};
/// # let dir = tempfile::tempdir()?;
/// # let name = |file: &str| dir.path().join(file).display().to_string();
/// std::fs::write(name("b.jsonl"), "{}")?;
/// std::fs::write(name("a.jsonl"), "{}")?;
/// let files = input_files(&[name("*.jsonl")], &ReadConfig::default())?;
/// assert_eq!(files, [dir.path().join("a.jsonl"), dir.path().join("b.jsonl")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn input_files(inputs: &[String], config: &ReadConfig) -> Result<Vec<PathBuf>, DataError> {
    Ok(Inputs::resolve(inputs, config)?.files)
}

impl Inputs {
    /// Resolves `inputs`: each is a file, a folder, a glob or a URL. A name that exists is never taken for either of the last.
    pub(super) fn resolve(inputs: &[String], config: &ReadConfig) -> Result<Self, DataError> {
        let mut resolved = Self { files: Vec::new(), splits: Vec::new() };
        if inputs.is_empty() {
            return Err(DataError::NoInputs);
        }
        for input in inputs {
            if is_url(input) {
                for path in local_paths(input)? {
                    if path.is_dir() {
                        resolved.add_folder(&path, config)?;
                    } else {
                        resolved.files.push(path);
                    }
                }
                continue;
            }
            let path = Path::new(input);
            if path.is_dir() {
                resolved.add_folder(path, config)?;
            } else if path.exists() {
                resolved.files.push(path.to_owned());
            } else if input.contains(['*', '?', '[']) {
                resolved.add_glob(input, config)?;
            } else {
                return Err(DataError::NotFound { path: path.to_owned() });
            }
        }
        match &config.split {
            Some(split) if resolved.splits.is_empty() => {
                Err(DataError::SplitOfFiles { split: split.clone(), inputs: inputs.to_vec() })
            }
            _ => Ok(resolved),
        }
    }

    fn add_folder(&mut self, folder: &Path, config: &ReadConfig) -> Result<(), DataError> {
        let (files, split) = split_files(folder, config.split.as_deref())?;
        self.files.extend(files);
        self.splits.push(split);
        Ok(())
    }

    fn add_glob(&mut self, pattern: &str, config: &ReadConfig) -> Result<(), DataError> {
        let pattern_error = |source| DataError::Pattern { pattern: pattern.to_owned(), source };
        let mut n_found = 0;
        // The paths come in alphabetical order.
        for entry in glob::glob(pattern).map_err(pattern_error)? {
            let path = entry.map_err(|error| {
                let path = error.path().to_owned();
                DataError::Open { path, source: error.into() }
            })?;
            if path.to_str().is_some_and(|name| name.ends_with(RECORD_ENDING)) {
                continue;
            }
            n_found += 1;
            if path.is_dir() {
                self.add_folder(&path, config)?;
            } else {
                self.files.push(path);
            }
        }
        if n_found == 0 { Err(DataError::NoMatch { pattern: pattern.to_owned() }) } else { Ok(()) }
    }
}
