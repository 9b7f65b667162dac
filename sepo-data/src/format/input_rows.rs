//! The rows of all files of an input, under one format.

use std::path::PathBuf;
use std::sync::Arc;
use std::vec;

use super::column::ColumnNames;
use super::detect::{Detected, detect};
use super::file_rows::{FileRows, SourceRow};
use super::input::Inputs;
use super::pair_format::PairFormat;
use super::read_config::ReadConfig;
use super::split::SplitChoice;
use crate::DataError;

/// A raw row with its place.
pub(super) struct PlacedRow {
    /// Over the whole input.
    pub(super) row: u64,
    pub(super) file: Arc<PathBuf>,
    /// In its file.
    pub(super) file_row: u64,
    pub(super) raw: SourceRow,
}

/// Rows of several files as one stream. Each file's format is detected, and must be the first one's.
pub(super) struct InputRows {
    forced: bool,
    names: Arc<ColumnNames>,
    later_files: vec::IntoIter<PathBuf>,
    current: FileRows,
    first_file: PathBuf,
    detected: Detected,
    splits: Vec<SplitChoice>,
    n_rows: u64,
}

impl InputRows {
    /// Opens the first file that has rows.
    pub(super) fn open(inputs: &[String], config: &ReadConfig) -> Result<Self, DataError> {
        let Inputs { files, splits } = Inputs::resolve(inputs, config)?;
        let names = Arc::new(ColumnNames::new(config));
        let mut later_files = files.clone().into_iter();
        while let Some(path) = later_files.next() {
            let mut current = FileRows::open(&path, Arc::clone(&names))?;
            let found = match config.format {
                Some(format) => {
                    let reason = format!("the format `{format}` was asked for");
                    current.look_ahead(0)?.is_some().then_some(Detected { format, reason })
                }
                None => detect(&mut current)?,
            };
            if let Some(mut detected) = found {
                for choice in splits.iter().filter(|choice| choice.available.len() > 1) {
                    detected.reason.push_str(&described(choice));
                }
                let forced = config.format.is_some();
                return Ok(Self {
                    forced,
                    names,
                    later_files,
                    current,
                    first_file: path,
                    detected,
                    splits,
                    n_rows: 0,
                });
            }
        }
        Err(DataError::NoRows { files })
    }

    pub(super) fn detected(&self) -> &Detected {
        &self.detected
    }

    pub(super) fn format(&self) -> PairFormat {
        self.detected.format
    }

    pub(super) fn names(&self) -> &ColumnNames {
        &self.names
    }

    pub(super) fn splits(&self) -> &[SplitChoice] {
        &self.splits
    }

    /// The first file that has rows.
    pub(super) fn first_file(&self) -> &PathBuf {
        &self.first_file
    }

    /// The next row, or `None` behind the last one of the last file.
    pub(super) fn next_row(&mut self) -> Result<Option<PlacedRow>, DataError> {
        loop {
            if let Some((file_row, raw)) = self.current.take()? {
                let file = Arc::clone(self.current.path());
                self.n_rows += 1;
                return Ok(Some(PlacedRow { row: self.n_rows - 1, file, file_row, raw }));
            }
            let Some(path) = self.later_files.next() else { return Ok(None) };
            self.current = FileRows::open(&path, Arc::clone(&self.names))?;
            if !self.forced {
                self.check_format()?;
            }
        }
    }

    fn check_format(&mut self) -> Result<(), DataError> {
        match detect(&mut self.current) {
            Ok(Some(found)) if found.format != self.detected.format => Err(DataError::MixedFormats {
                first_file: self.first_file.clone(),
                first: self.detected.format,
                file: self.current.path().as_path().to_owned(),
                found: found.format,
            }),
            // What the rows should be is known from the file before, so unreadable ones are bad rows like any other.
            Ok(_) | Err(DataError::NoUsableRow { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn described(choice: &SplitChoice) -> String {
    let others: Vec<String> = choice
        .available
        .iter()
        .filter(|&split| *split != choice.split)
        .map(|split| format!("`{split}`"))
        .collect();
    format!(
        "; of `{}` the split `{}` is read, not {}",
        choice.folder.display(),
        choice.split,
        others.join(", ")
    )
}
