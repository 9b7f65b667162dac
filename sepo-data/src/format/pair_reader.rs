//! Pairs as a stream.

use super::bad_row::BadRow;
use super::content::pair_content;
use super::detect::Detected;
use super::input_rows::InputRows;
use super::pair_format::PairFormat;
use super::read_config::ReadConfig;
use super::split::SplitChoice;
use crate::{DataError, PreferencePair};

/// One row of an input of pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairRow {
    /// A pair with two responses that are not empty and differ.
    Pair(PreferencePair),
    /// A row that cannot be used.
    Bad(BadRow),
}

/// The rows of an input, in order; made by [`open_pairs`].
///
/// An `Err` ends the iteration: nothing behind it can be trusted.
pub struct PairReader {
    rows: InputRows,
    failed: bool,
}

/// The pairs of `inputs`, one after the other.
///
/// Each input is a file (`.parquet`, `.arrow`, `.feather`, `.jsonl`, `.json`, each also `.gz` or `.zst`), a folder in
/// the layout of the Hugging Face Hub, a glob, or a URL ([`local_paths`](crate::local_paths)). The format is detected from the first readable rows.
///
/// # Errors
///
/// * An input that does not exist, cannot be opened, or whose name does not say what it is; a folder without the split.
/// * [`DataError::UnknownFormat`]: the columns of the first file with rows fit no format.
/// * [`DataError::NotPairs`]: they are plain text.
/// * [`DataError::NoRows`]: there is no row in any file.
///
/// The iterator yields an error, and ends, where a file cannot be read on, or a later file has another format.
///
/// # Examples
///
/// ```
/// use sepo_data::{PairFormat, PairRow, ReadConfig, open_pairs};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("pairs.jsonl");
/// std::fs::write(&path, r#"{"prompt": "1+1=", "chosen": "2", "rejected": "3"}
/// {"prompt": "1+2=", "chosen": "3", "rejected": "3"}"#)?;
///
/// let reader = open_pairs(&[path.display().to_string()], &ReadConfig::default())?;
/// assert_eq!(reader.format().format, PairFormat::Explicit);
/// let rows = reader.collect::<Result<Vec<_>, _>>()?;
/// assert!(matches!(&rows[0], PairRow::Pair(pair) if pair.row == 0));
/// assert!(matches!(&rows[1], PairRow::Bad(bad) if bad.reason == sepo_data::BadReason::IdenticalSides));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_pairs(inputs: &[String], config: &ReadConfig) -> Result<PairReader, DataError> {
    let rows = InputRows::open(inputs, config)?;
    if rows.format() == PairFormat::Text {
        return Err(DataError::NotPairs { file: rows.first_file().clone() });
    }
    Ok(PairReader { rows, failed: false })
}

impl PairReader {
    /// The format of the rows, and why it is that one. Where a folder has several splits, the reason names the one
    /// that is read.
    pub fn format(&self) -> &Detected {
        self.rows.detected()
    }

    /// The split that is read of each input that is a folder.
    pub fn splits(&self) -> &[SplitChoice] {
        self.rows.splits()
    }

    fn next_pair(&mut self) -> Result<Option<PairRow>, DataError> {
        let Some(placed) = self.rows.next_row()? else { return Ok(None) };
        let content = placed.raw.and_then(|raw| pair_content(raw, self.rows.format(), self.rows.names()));
        Ok(Some(match content {
            Ok(content) => PairRow::Pair(PreferencePair {
                row: placed.row,
                file: placed.file,
                file_row: placed.file_row,
                content,
            }),
            Err(reason) => {
                PairRow::Bad(BadRow { file: placed.file.as_path().to_owned(), row: placed.file_row, reason })
            }
        }))
    }
}

impl Iterator for PairReader {
    type Item = Result<PairRow, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_pair().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}
