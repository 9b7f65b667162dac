//! A record and a card into a model folder, or a record beside a file.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use sepo_data::AtomicFile;

use super::card::Card;
use super::{Content, RECORD_FILE, Record, content, store};
use crate::console::warn;
use crate::exit::{CliError, Exit, io_error};

const CARD_FILE: &str = "README.md";

/// How much of everything there was, by name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Named counts.
pub(crate) fn counts<const N: usize>(counts: [(&str, u64); N]) -> Counts {
    counts.map(|(name, n)| (name.to_owned(), n)).into()
}

/// Writes the record and the card of the model folder `dir`, whose other files are complete.
///
/// A `README.md` of other hands is left alone.
pub(crate) fn model_folder(dir: &Path, record: Record, counts: Counts) -> Result<(), CliError> {
    let record = Record { counts, outputs: content::of_model(dir)?, ..record };
    let path = dir.join(CARD_FILE);
    if is_foreign(&path)? {
        warn(format!(
            "`{}` is left as it is; no model card is written over a file of other hands",
            path.display()
        ));
    } else {
        AtomicFile::replace(&path, Card::of(dir, &record)?.text())
            .map_err(|source| io_error(&path, source))?;
    }
    write_record(&dir.join(RECORD_FILE), &record)
}

/// Writes the record of the classifier's folder `dir`, whose other files are complete.
pub(crate) fn classifier_folder(dir: &Path, record: Record, counts: Counts) -> Result<(), CliError> {
    write_record(&dir.join(RECORD_FILE), &Record { counts, outputs: content::of_model(dir)?, ..record })
}

/// Takes the record of an earlier content away, before `file` gets another: no file stands beside a record of something else.
pub(crate) fn forget(file: &Path) -> Result<(), CliError> {
    let path = store::beside(file);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error(&path, error)),
        _ => Ok(()),
    }
}

/// Writes the record of `file`, which is complete and has no place for one in itself, beside it.
pub(crate) fn beside(file: &Path, record: Record, counts: Counts) -> Result<(), CliError> {
    let outputs = vec![Content::at(file)?];
    write_record(&store::beside(file), &Record { counts, outputs, ..record })
}

fn write_record(path: &Path, record: &Record) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(record).map_err(|error| CliError::of(Exit::Bug, error))?;
    AtomicFile::replace(path, text + "\n").map_err(|source| io_error(path, source))
}

/// Whether there is a card that [`Card`] did not write.
fn is_foreign(path: &Path) -> Result<bool, CliError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(!String::from_utf8_lossy(&bytes).contains(Card::MARK)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(io_error(path, source)),
    }
}
