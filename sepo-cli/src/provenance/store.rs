//! Where records are kept: `sepo.json` of a model folder, the metadata of an artifact, `NAME.sepo.json` beside another file.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};

use sepo_data::format::RECORD_ENDING;
use sepo_data::{ScoresMeta, ScoresReader, SelectionMeta, SelectionReader};
use serde_json::Value;

use super::Record;
use crate::exit::{CliError, Exit, io_error};

/// A model folder's record. Named as the metadata key of the artifacts is.
pub(crate) const RECORD_FILE: &str = "sepo.json";
/// The record's key in an artifact's metadata.
pub(crate) const RECORD_KEY: &str = "record";

/// Most bytes of a record: one with a hundred thousand files has a tenth of it.
const MAX_BYTES: u64 = 64 << 20;

/// The record of the model folder `dir`; `None` where it has none.
pub(crate) fn of_model(dir: &Path) -> Result<Option<Record>, CliError> {
    read(&dir.join(RECORD_FILE))
}

/// The record of scores, of a selection, or of a file beside which one lies; `None` where it has none.
pub(crate) fn of_file(path: &Path) -> Result<Option<Record>, CliError> {
    if let Ok(reader) = ScoresReader::open(path) {
        return of_scores(path, reader.meta());
    }
    match SelectionReader::open(path) {
        Ok(reader) => of_selection(path, reader.meta()),
        Err(_) => of_pairs(path),
    }
}

/// The record of a file of pairs or weights; `None` where none lies beside it.
pub(crate) fn of_pairs(path: &Path) -> Result<Option<Record>, CliError> {
    read(&beside(path))
}

/// Where the record of a file lies that has no place for one.
pub(crate) fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(RECORD_ENDING);
    file.with_file_name(name)
}

fn read(path: &Path) -> Result<Option<Record>, CliError> {
    let text = match text_of(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|source| io_error(path, source))?,
    };
    let record = serde_json::from_str(&text).map_err(|error| unreadable(path, error))?;
    Ok(Some(record))
}

fn of_scores(path: &Path, meta: &ScoresMeta) -> Result<Option<Record>, CliError> {
    let counts = [
        ("pairs", meta.n_pairs),
        ("rows_left_out", meta.n_dropped.values().sum()),
        ("prompt_tokens", meta.n_prompt_tokens),
        ("chosen_tokens", meta.n_chosen_tokens),
        ("rejected_tokens", meta.n_rejected_tokens),
        ("responses_cut", meta.n_truncated),
    ];
    with_counts(path, meta.extra.get(RECORD_KEY), &counts)
}

fn of_selection(path: &Path, meta: &SelectionMeta) -> Result<Option<Record>, CliError> {
    let counts = [
        ("pairs", meta.n_kept),
        ("pairs_left_out", meta.n_dropped.values().sum()),
        ("chosen_tokens", meta.chosen.n_tokens),
        ("chosen_tokens_selected", meta.chosen.n_selected),
        ("rejected_tokens", meta.rejected.n_tokens),
        ("rejected_tokens_selected", meta.rejected.n_selected),
    ];
    with_counts(path, meta.extra.get(RECORD_KEY), &counts)
}

/// The record with the metadata's counts, which are known only after it was begun.
fn with_counts(
    path: &Path,
    record: Option<&Value>,
    counts: &[(&str, u64)],
) -> Result<Option<Record>, CliError> {
    let Some(record) = record else { return Ok(None) };
    let mut record: Record =
        serde_json::from_value(record.clone()).map_err(|error| unreadable(path, error))?;
    record.counts = counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
    Ok(Some(record))
}

fn text_of(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!("it has more than {MAX_BYTES} bytes, which no record has"),
        ));
    }
    Ok(text)
}

fn unreadable(path: &Path, error: serde_json::Error) -> CliError {
    CliError {
        exit: Exit::Data,
        report: crate::advice::with_help(
            error,
            "a record of where things come from is damaged, or of a newer version; without it nothing is known of them: move it away to go on",
        )
        .wrap_err(format!("read the record in `{}`", path.display())),
    }
}
