//! Cells out of JSON text.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::budget::Budget;
use super::cell::{Cell, Cells, RawRow};
use super::column::ColumnNames;
use crate::BadReason;

/// What is wrong with a piece of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonFault {
    /// A byte stands where JSON does not allow it.
    Syntax,
    /// The text ends inside a value.
    EndsEarly,
    /// Lists or objects nest deeper than is read.
    TooDeep,
    /// An escape such as `\ud800` stands for half a character.
    LoneSurrogate,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not JSON",
            Self::EndsEarly => "the JSON ends early",
            Self::TooDeep => "lists or objects nested more than 127 deep",
            Self::LoneSurrogate => "half of a surrogate pair, which is no character",
        })
    }
}

/// Where a piece of JSON text starts in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// From 1.
    pub(super) line: u64,
    /// In bytes, from 1.
    pub(super) column: u64,
    /// From 0.
    pub(super) byte: u64,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1, byte: 0 };

    /// Moves behind `bytes`.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        self.byte += bytes.len() as u64;
        match bytes.iter().rposition(|&byte| byte == b'\n') {
            None => self.column += bytes.len() as u64,
            Some(last) => {
                self.line += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                self.column = (bytes.len() - last) as u64;
            }
        }
    }
}

/// The row in `bytes`, of which the cells named in `names` are read.
///
/// `keys`, where given, receives every key of the row.
pub(super) fn parse_row(
    bytes: &[u8],
    start: Position,
    names: &ColumnNames,
    keys: Option<&mut Vec<String>>,
) -> Result<RawRow, BadReason> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let mut at = start;
        at.advance(&bytes[..error.valid_up_to()]);
        BadReason::InvalidUtf8 { line: at.line, byte: at.byte }
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let budget = Budget::new();
    RowSeed { names, keys, budget: &budget }
        .deserialize(&mut deserializer)
        .and_then(|row| deserializer.end().map(|()| row))
        .map_err(|error| if budget.is_exceeded() { Budget::too_large() } else { json_fault(&error, start) })
}

fn json_fault(error: &serde_json::Error, start: Position) -> BadReason {
    let (line, column) = (error.line() as u64, error.column() as u64);
    BadReason::InvalidJson {
        line: start.line + line.saturating_sub(1),
        column: if line <= 1 { start.column + column.saturating_sub(1) } else { column.max(1) },
        fault: if error.is_eof() { JsonFault::EndsEarly } else { syntax_fault(error) },
    }
}

/// The parser tells these faults by their words only.
fn syntax_fault(error: &serde_json::Error) -> JsonFault {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        JsonFault::TooDeep
    } else if text.starts_with("lone leading surrogate") || text.starts_with("unexpected end of hex escape") {
        JsonFault::LoneSurrogate
    } else {
        JsonFault::Syntax
    }
}

struct RowSeed<'a> {
    names: &'a ColumnNames,
    keys: Option<&'a mut Vec<String>>,
    budget: &'a Budget,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = RawRow;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawRow, D::Error> {
        deserializer.deserialize_any(RowVisitor(self))
    }
}

struct RowVisitor<'a>(RowSeed<'a>);

impl<'de> Visitor<'de> for RowVisitor<'_> {
    type Value = RawRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<RawRow, A::Error> {
        let mut cells = Box::new(Cells::default());
        while let Some(key) = map.next_key::<String>()? {
            match self.0.names.column(&key) {
                Some(column) => cells.set(column, map.next_value_seed(CellSeed(self.0.budget))?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if let Some(keys) = &mut self.0.keys {
                keys.push(key);
            }
        }
        Ok(RawRow::Columns(cells))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<RawRow, A::Error> {
        CellSeed(self.0.budget).visit_seq(seq).map(RawRow::Value)
    }

    fn visit_str<E>(self, text: &str) -> Result<RawRow, E> {
        Ok(RawRow::Value(Cell::Text(text.to_owned())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawRow, E> {
        Ok(RawRow::Value(Cell::Integer(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawRow, E> {
        Ok(RawRow::Value(Cell::Integer(value.into())))
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawRow, E> {
        Ok(RawRow::Value(Cell::Float))
    }

    fn visit_bool<E>(self, _: bool) -> Result<RawRow, E> {
        Ok(RawRow::Value(Cell::Boolean))
    }

    fn visit_unit<E>(self) -> Result<RawRow, E> {
        Ok(RawRow::Value(Cell::Null))
    }
}

/// Reads a value within what the row may still take.
#[derive(Clone, Copy)]
struct CellSeed<'a>(&'a Budget);

impl CellSeed<'_> {
    fn take<E: Error>(self, n_bytes: usize) -> Result<(), E> {
        self.0.take(n_bytes).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        self.take(0)?;
        let mut fields = Vec::with_capacity(2);
        while let Some(name) = map.next_key::<String>()? {
            fields.push((name, map.next_value_seed(self)?));
        }
        Ok(Cell::Struct(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Cell, A::Error> {
        self.take(0)?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Cell::List(items))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        self.take(text.len())?;
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Cell, E> {
        self.take(0)?;
        Ok(Cell::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        self.take(0)?;
        Ok(Cell::Integer(value.into()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Cell, E> {
        self.take(0)?;
        Ok(Cell::Float)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Cell, E> {
        self.take(0)?;
        Ok(Cell::Boolean)
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        self.take(0)?;
        Ok(Cell::Null)
    }
}
