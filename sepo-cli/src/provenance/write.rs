//! A record and a card into a model folder.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use sepo_data::AtomicFile;

use super::card::Card;
use super::{RECORD_FILE, Record, content};
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
        write_whole(&path, &Card::of(dir, &record)?.text())?;
    }
    write_record(dir, &record)
}

/// Writes the record of the classifier's folder `dir`, whose other files are complete.
pub(crate) fn classifier_folder(dir: &Path, record: Record, counts: Counts) -> Result<(), CliError> {
    write_record(dir, &Record { counts, outputs: content::of_model(dir)?, ..record })
}

fn write_record(dir: &Path, record: &Record) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(record).map_err(|error| CliError::of(Exit::Bug, error))?;
    write_whole(&dir.join(RECORD_FILE), &(text + "\n"))
}

/// Whether there is a card that [`Card`] did not write.
fn is_foreign(path: &Path) -> Result<bool, CliError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(!String::from_utf8_lossy(&bytes).contains(Card::MARK)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(io_error(path, source)),
    }
}

fn write_whole(path: &Path, text: &str) -> Result<(), CliError> {
    let write = || {
        let mut file = AtomicFile::create(path)?;
        file.write_all(text.as_bytes())?;
        file.commit()
    };
    write().map_err(|source| io_error(path, source))
}
