//! Rows of a file that is one JSON array, element by element.

use std::io::{self, BufRead};

use super::budget::{EndlessRow, MAX_ROW_BYTES};
use super::cell::RawRow;
use super::column::ColumnNames;
use super::json_cell::{JsonFault, Position, parse_row};
use crate::BadReason;

/// Cuts the array into its elements by counting brackets outside strings, and parses each by itself. So no more than
/// one element is in memory, and a bad element does not end the reading as it would with a parser for the whole.
pub(super) struct JsonArray {
    reader: Box<dyn BufRead + Send>,
    element: Vec<u8>,
    position: Position,
    n_rows: u64,
    state: State,
}

enum State {
    Open,
    Closed,
    Done,
}

/// What [`JsonArray::next_row`] found.
pub(super) enum ArrayItem {
    Row(Result<RawRow, BadReason>),
    /// The array and the file are at their end.
    End,
    /// The file ended inside the element that starts there.
    Unclosed(Position),
    /// Something follows the array.
    Trailing(Position),
}

impl JsonArray {
    /// Rows from `reader` on, which stands at `position` of the file, behind the opening bracket.
    pub(super) fn new(reader: Box<dyn BufRead + Send>, position: Position) -> Self {
        Self { reader, element: Vec::new(), position, n_rows: 0, state: State::Open }
    }

    /// The next row or the end; `keys`, where given, receives every key of the row.
    pub(super) fn next_row(
        &mut self,
        names: &ColumnNames,
        keys: Option<&mut Vec<String>>,
    ) -> io::Result<ArrayItem> {
        match self.state {
            State::Open => {}
            State::Closed => {
                self.state = State::Done;
                return Ok(match skip_whitespace(&mut self.reader, &mut self.position)? {
                    None => ArrayItem::End,
                    Some(_) => ArrayItem::Trailing(self.position),
                });
            }
            State::Done => return Ok(ArrayItem::End),
        }
        skip_whitespace(&mut self.reader, &mut self.position)?;
        let start = self.position;
        let Some(end) = self.read_element()? else {
            self.state = State::Done;
            return Ok(ArrayItem::Unclosed(start));
        };
        if end == b']' {
            self.state = State::Closed;
        }
        let empty = self.element.is_empty();
        if empty && end == b']' && self.n_rows == 0 {
            return self.next_row(names, keys);
        }
        self.n_rows += 1;
        Ok(ArrayItem::Row(if empty {
            let Position { line, column, .. } = start;
            Err(BadReason::InvalidJson { line, column, fault: JsonFault::Syntax })
        } else {
            parse_row(&self.element, start, names, keys)
        }))
    }

    /// Fills `self.element` up to the next comma or bracket of the array itself and returns that; `None`: no such.
    fn read_element(&mut self) -> io::Result<Option<u8>> {
        self.element.clear();
        let first_line = self.position.line;
        let mut scanner = Scanner { depth: 0, in_string: false, escaped: false };
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let end = chunk.iter().position(|&byte| scanner.ends_element(byte));
            let n_element = end.unwrap_or(chunk.len());
            if self.element.len() + n_element > MAX_ROW_BYTES {
                return Err(EndlessRow::on_line(first_line));
            }
            self.element.extend_from_slice(&chunk[..n_element]);
            let n_used = n_element + usize::from(end.is_some());
            let terminator = end.map(|end| chunk[end]);
            self.position.advance(&chunk[..n_used]);
            self.reader.consume(n_used);
            if terminator.is_some() {
                return Ok(terminator);
            }
        }
    }
}

struct Scanner {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    fn ends_element(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b',' | b']' if self.depth == 0 => return true,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }
}

/// Moves to the next byte that is no white space, and returns it; `None` at the end of the file.
pub(super) fn skip_whitespace(reader: &mut dyn BufRead, position: &mut Position) -> io::Result<Option<u8>> {
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(None);
        }
        let found = chunk.iter().position(|byte| !byte.is_ascii_whitespace());
        let next = found.map(|at| chunk[at]);
        let n_blank = found.unwrap_or(chunk.len());
        position.advance(&chunk[..n_blank]);
        reader.consume(n_blank);
        if next.is_some() {
            return Ok(next);
        }
    }
}
