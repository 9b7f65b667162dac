//! Rows of a file with one JSON value a line.

use std::io::{self, BufRead, Read};

use super::budget::{EndlessRow, MAX_ROW_BYTES};
use super::cell::RawRow;
use super::column::ColumnNames;
use super::json_cell::{Position, parse_row};
use crate::BadReason;

/// Reads one line after the other; blank lines are no rows. A line is one row even where it is broken JSON, so a bad
/// one costs nothing but itself.
pub(super) struct JsonLines {
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    position: Position,
}

impl JsonLines {
    /// Rows from `reader` on, which stands at `position` of the file.
    pub(super) fn new(reader: Box<dyn BufRead + Send>, position: Position) -> Self {
        Self { reader, line: Vec::new(), position }
    }

    /// The next row, or `None` at the end; `keys`, where given, receives every key of the row.
    pub(super) fn next_row(
        &mut self,
        names: &ColumnNames,
        keys: Option<&mut Vec<String>>,
    ) -> io::Result<Option<Result<RawRow, BadReason>>> {
        loop {
            self.line.clear();
            let mut reader = self.reader.as_mut().take(MAX_ROW_BYTES as u64 + 1);
            if reader.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            let start = self.position;
            if self.line.len() > MAX_ROW_BYTES {
                return Err(EndlessRow::on_line(start.line));
            }
            self.position.advance(&self.line);
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                // Without the line break an unfinished value is reported on its own line, not on the next.
                return Ok(Some(parse_row(without_line_break(&self.line), start, names, keys)));
            }
        }
    }
}

fn without_line_break(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
