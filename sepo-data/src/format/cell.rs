//! One row as it comes out of any container, before a format gives it a meaning.

use super::column::{Column, N_COLUMNS};
use super::kind::Kind;
use crate::BadReason;

/// One value. JSON and Arrow are both read into it, so each format is written once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Boolean,
    /// Wide enough for every Arrow and JSON integer, so that one out of range can be shown as it stands.
    Integer(i128),
    Float,
    Text(String),
    Binary(Vec<u8>),
    List(Vec<Cell>),
    Struct(Vec<(String, Cell)>),
    Other,
}

impl Cell {
    /// What the value is; a list is named by its first element.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Boolean => Kind::Boolean,
            Self::Integer(_) => Kind::Integer,
            Self::Float => Kind::Float,
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
            Self::List(items) => match items.first() {
                None => Kind::EmptyList,
                Some(Self::Integer(_)) => Kind::Integers,
                Some(Self::Struct(_)) => Kind::Messages,
                Some(_) => Kind::List,
            },
            Self::Struct(_) => Kind::Struct,
            Self::Other => Kind::Other,
        }
    }

    /// The text, where the value is text or UTF-8 bytes.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Whether the value is a struct with field `name`, or a list whose first element is one.
    pub(super) fn has_field(&self, name: &str) -> bool {
        match self {
            Self::Struct(fields) => fields.iter().any(|(field, _)| field == name),
            Self::List(items) => {
                items.first().is_some_and(|item| matches!(item, Self::Struct(_)) && item.has_field(name))
            }
            _ => false,
        }
    }
}

/// One row: the columns that some format reads, or a bare value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RawRow {
    Columns(Box<Cells>),
    /// A JSON row that is no object.
    Value(Cell),
}

/// The cells of the columns that some format reads, by [`Column`]; `None` where the row has no such column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cells([Option<Cell>; N_COLUMNS]);

impl Cells {
    /// Puts a cell in its place. A repeated JSON key replaces the earlier one, as in Python.
    pub(super) fn set(&mut self, column: Column, cell: Cell) {
        self.0[column as usize] = Some(cell);
    }

    /// The cell, where the row has the column.
    pub(super) fn get(&self, column: Column) -> Option<&Cell> {
        self.0[column as usize].as_ref()
    }

    /// The cell, moved out.
    pub(super) fn take(&mut self, column: Column) -> Option<Cell> {
        self.0[column as usize].take()
    }

    /// What the cell is; [`Kind::Null`] also where the row has no such column.
    pub(super) fn kind(&self, column: Column) -> Kind {
        self.get(column).map_or(Kind::Null, Cell::kind)
    }
}

/// The string that `cell` holds; `column` is for the error.
pub(super) fn text_of(cell: Cell, column: &str) -> Result<String, BadReason> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Binary(bytes) => String::from_utf8(bytes).map_err(|error| BadReason::InvalidUtf8Value {
            column: column.to_owned(),
            byte: error.utf8_error().valid_up_to(),
        }),
        other => Err(wrong_type(column, Kind::Text, &other)),
    }
}

/// The error for a cell of the wrong type.
pub(super) fn wrong_type(column: &str, needed: Kind, found: &Cell) -> BadReason {
    BadReason::WrongType { column: column.to_owned(), needed, found: found.kind() }
}
