//! Things with a record, found on the disk.

use std::path::{Path, PathBuf};

use sepo_data::format::RECORD_ENDING;

use super::store::{self, RECORD_FILE};
use super::{InputKind, Record};
use crate::exit::{CliError, Exit, io_error};

/// Something that was made, and what its record says.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) path: PathBuf,
    /// A model folder or a file.
    pub(crate) kind: InputKind,
    pub(crate) record: Record,
}

impl Subject {
    /// The subject at `path`, or those in the folder `path`, by name.
    pub(crate) fn find(path: &Path) -> Result<Vec<Self>, CliError> {
        // For the system's word on a path that cannot be read.
        let is_dir = std::fs::metadata(path).map_err(|source| io_error(path, source))?.is_dir();
        if let Some(subject) = Self::at(path, is_dir)? {
            return Ok(vec![subject]);
        }
        let mut found = Vec::new();
        if is_dir {
            // A recipe's folder has one a stage, and in that of `oracle` there are two.
            add_below(path, 2, &mut found)?;
        }
        if found.is_empty() {
            return Err(no_record(path));
        }
        Ok(found)
    }

    fn at(path: &Path, is_dir: bool) -> Result<Option<Self>, CliError> {
        let (kind, record) = if is_dir {
            (InputKind::Model, store::of_model(path)?)
        } else {
            (InputKind::File, store::of_file(path)?)
        };
        Ok(record.map(|record| Self { path: path.to_owned(), kind, record }))
    }

    /// Its place in the folder that one command made it in, together with others; nothing where it was made alone.
    pub(crate) fn place(&self) -> Option<&str> {
        let is_together = ["oracle", "quickstart"].contains(&self.record.stage.as_str());
        self.record.part.as_deref().filter(|_| is_together)
    }

    /// The folder of that command.
    pub(crate) fn made_in(&self) -> Option<&Path> {
        let depth = Path::new(self.place()?).components().count();
        self.path.ancestors().nth(depth)
    }

    /// The folder from which its record counts the ways to its inputs.
    pub(crate) fn dir(&self) -> &Path {
        match self.kind {
            InputKind::Model => &self.path,
            _ => self.path.parent().unwrap_or(Path::new("")),
        }
    }
}

fn add_below(dir: &Path, depth: usize, found: &mut Vec<Subject>) -> Result<(), CliError> {
    let entries = || -> std::io::Result<Vec<PathBuf>> {
        std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut entries = entries().map_err(|source| io_error(dir, source))?;
    entries.sort();
    for path in entries {
        let is_dir = path.is_dir();
        let is_candidate = is_dir
            || path.extension().is_some_and(|ending| ending == "parquet")
            || store::beside(&path).is_file();
        match is_candidate.then(|| Subject::at(&path, is_dir)).transpose()?.flatten() {
            Some(subject) => found.push(subject),
            None if is_dir && depth > 1 => add_below(&path, depth - 1, found)?,
            None => {}
        }
    }
    Ok(())
}

fn no_record(path: &Path) -> CliError {
    CliError::new(
        Exit::Data,
        format!("nothing in `{}` says what it was made from", path.display()),
        format!(
            "name a model folder with a `{RECORD_FILE}`, scores, a selection, or a file with a `…{RECORD_ENDING}` beside it, made by this program since it writes records; others have none"
        ),
    )
}
