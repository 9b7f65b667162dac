//! Plain text as a stream, for supervised training on documents.

use std::path::PathBuf;
use std::sync::Arc;

use super::bad_row::BadRow;
use super::content::text_content;
use super::detect::Detected;
use super::input_rows::InputRows;
use super::pair_format::PairFormat;
use super::read_config::ReadConfig;
use super::split::SplitChoice;
use crate::DataError;

/// A piece of plain text with the place it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRow {
    /// Row in the whole input, counted over all its files from 0, bad rows included.
    pub row: u64,
    /// The file that holds it.
    pub file: Arc<PathBuf>,
    /// Row within that file, from 0.
    pub file_row: u64,
    /// The text, byte for byte.
    pub text: String,
}

/// One row of an input of plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextItem {
    /// A text that is not empty.
    Text(TextRow),
    /// A row that cannot be used.
    Bad(BadRow),
}

/// The rows of an input, in order; made by [`open_texts`]. An `Err` ends the iteration.
pub struct TextReader {
    rows: InputRows,
    failed: bool,
}

/// The texts of `inputs`, one after the other: a JSON array of strings, one JSON string a line, or the column `text`
/// of any file that [`open_pairs`](super::open_pairs) reads.
///
/// # Errors
///
/// As [`open_pairs`](super::open_pairs), with [`DataError::NotText`] where the input holds pairs.
///
/// # Examples
///
/// ```
/// use sepo_data::format::{ReadConfig, TextItem, open_texts};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("stories.json");
/// std::fs::write(&path, r#"["Once upon a time.", "The end."]"#)?;
///
/// let rows = open_texts(&[path.display().to_string()], &ReadConfig::default())?.collect::<Result<Vec<_>, _>>()?;
/// assert!(matches!(&rows[1], TextItem::Text(row) if row.text == "The end."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_texts(inputs: &[String], config: &ReadConfig) -> Result<TextReader, DataError> {
    let rows = InputRows::open(inputs, config)?;
    match rows.format() {
        PairFormat::Text => Ok(TextReader { rows, failed: false }),
        format => Err(DataError::NotText { file: rows.first_file().clone(), format }),
    }
}

impl TextReader {
    /// The format of the rows, which is [`PairFormat::Text`], and why it is that one.
    pub fn format(&self) -> &Detected {
        self.rows.detected()
    }

    /// The split that is read of each input that is a folder.
    pub fn splits(&self) -> &[SplitChoice] {
        self.rows.splits()
    }

    fn next_text(&mut self) -> Result<Option<TextItem>, DataError> {
        let Some(placed) = self.rows.next_row()? else { return Ok(None) };
        Ok(Some(match placed.raw.and_then(|raw| text_content(raw, self.rows.names())) {
            Ok(text) => TextItem::Text(TextRow {
                row: placed.row,
                file: placed.file,
                file_row: placed.file_row,
                text,
            }),
            Err(reason) => {
                TextItem::Bad(BadRow { file: placed.file.as_path().to_owned(), row: placed.file_row, reason })
            }
        }))
    }
}

impl Iterator for TextReader {
    type Item = Result<TextItem, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_text().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}
