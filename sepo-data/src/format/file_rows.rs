//! The rows of one file, whatever it is.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cell::RawRow;
use super::column::ColumnNames;
use super::container::{Compression, Container, by_path, open_stream};
use super::ipc::IpcRows;
use super::json_array::{ArrayItem, JsonArray, skip_whitespace};
use super::json_cell::Position;
use super::json_lines::JsonLines;
use super::parquet_rows::ParquetRows;
use crate::{BadReason, DataError};

/// A row, or why it cannot be one.
pub(super) type SourceRow = Result<RawRow, BadReason>;

enum Source {
    JsonLines(JsonLines),
    JsonArray(JsonArray),
    Parquet(Box<ParquetRows>),
    Ipc(IpcRows),
}

/// The rows of one file in order. Some may be looked at before they are taken.
pub(super) struct FileRows {
    path: Arc<PathBuf>,
    names: Arc<ColumnNames>,
    source: Source,
    /// Rows that were read from the source, and not taken yet.
    ahead: VecDeque<SourceRow>,
    n_read: u64,
    n_taken: u64,
    column_names: Vec<String>,
}

impl FileRows {
    /// The rows of the file at `path`.
    pub(super) fn open(path: &Path, names: Arc<ColumnNames>) -> Result<Self, DataError> {
        let (container, compression) = by_path(path)?;
        let mut column_names = Vec::new();
        let source = match container {
            Container::Json => open_json(path, compression)?,
            Container::Parquet => {
                let rows = ParquetRows::open(path, compression, &names)?;
                column_names = rows.column_names();
                Source::Parquet(Box::new(rows))
            }
            Container::Arrow => {
                let rows = IpcRows::open(path, compression, &names)?;
                column_names = rows.column_names();
                Source::Ipc(rows)
            }
        };
        let path = Arc::new(path.to_owned());
        Ok(Self { path, names, source, ahead: VecDeque::new(), n_read: 0, n_taken: 0, column_names })
    }

    pub(super) fn path(&self) -> &Arc<PathBuf> {
        &self.path
    }

    pub(super) fn names(&self) -> &ColumnNames {
        &self.names
    }

    /// Names of all columns: by the schema, or of the first JSON object.
    pub(super) fn column_names(&self) -> &[String] {
        &self.column_names
    }

    /// The row `distance` rows ahead (0: the one that is taken next), or `None` behind the end.
    ///
    /// Everything up to it is held in memory until it is taken.
    pub(super) fn look_ahead(&mut self, distance: usize) -> Result<Option<&SourceRow>, DataError> {
        while self.ahead.len() <= distance {
            match self.read()? {
                Some(row) => self.ahead.push_back(row),
                None => return Ok(None),
            }
        }
        Ok(self.ahead.get(distance))
    }

    /// The next row with its index in the file, or `None` at the end.
    pub(super) fn take(&mut self) -> Result<Option<(u64, SourceRow)>, DataError> {
        let row = match self.ahead.pop_front() {
            Some(row) => Some(row),
            None => self.read()?,
        };
        Ok(row.map(|row| {
            self.n_taken += 1;
            (self.n_taken - 1, row)
        }))
    }

    fn read(&mut self) -> Result<Option<SourceRow>, DataError> {
        let keys = self.column_names.is_empty().then_some(&mut self.column_names);
        let (file, row) = (self.path.as_path(), self.n_read);
        let read_error = |source| DataError::Read { file: file.to_owned(), row, source };
        let next = match &mut self.source {
            Source::Parquet(rows) => rows.next_row(&self.names)?,
            Source::Ipc(rows) => rows.next_row(&self.names)?,
            Source::JsonLines(rows) => rows.next_row(&self.names, keys).map_err(read_error)?,
            Source::JsonArray(rows) => match rows.next_row(&self.names, keys).map_err(read_error)? {
                ArrayItem::Row(row) => Some(row),
                ArrayItem::End => None,
                ArrayItem::Unclosed(Position { line, .. }) => {
                    return Err(DataError::UnclosedArray { file: file.to_owned(), row, line });
                }
                ArrayItem::Trailing(Position { line, column, .. }) => {
                    return Err(DataError::TrailingData { file: file.to_owned(), line, column });
                }
            },
        };
        self.n_read += u64::from(next.is_some());
        Ok(next)
    }
}

/// A file that starts with a bracket is an array, any other has one row a line; the ending of its name does not say.
fn open_json(path: &Path, compression: Compression) -> Result<Source, DataError> {
    let mut reader = open_stream(path, compression)?;
    let mut position = Position::START;
    let first = skip_byte_order_mark(&mut *reader, &mut position)
        .and_then(|()| skip_whitespace(&mut *reader, &mut position))
        .map_err(|source| DataError::Read { file: path.to_owned(), row: 0, source })?;
    Ok(if first == Some(b'[') {
        reader.consume(1);
        position.advance(b"[");
        Source::JsonArray(JsonArray::new(reader, position))
    } else {
        Source::JsonLines(JsonLines::new(reader, position))
    })
}

/// Some editors on Windows put the mark before UTF-8; it is no part of the first row.
fn skip_byte_order_mark(reader: &mut dyn std::io::BufRead, position: &mut Position) -> std::io::Result<()> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if reader.fill_buf()?.starts_with(MARK) {
        reader.consume(MARK.len());
        position.byte += MARK.len() as u64;
    }
    Ok(())
}
