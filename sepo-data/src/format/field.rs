//! One row while a format takes it apart: cells by column, with the errors that name them.

use super::cell::{Cell, Cells, text_of};
use super::column::{Column, ColumnNames};
use super::message::messages;
use crate::{BadReason, Message};

/// The cells of a row, and the names of its columns for the errors.
pub(super) struct Fields<'a> {
    pub(super) cells: Cells,
    pub(super) names: &'a ColumnNames,
}

impl Fields<'_> {
    /// The name of `column` in the file.
    pub(super) fn name(&self, column: Column) -> String {
        self.names.name(column).to_owned()
    }

    /// The cell, which must be there and not null.
    pub(super) fn cell(&mut self, column: Column) -> Result<Cell, BadReason> {
        match self.cells.take(column) {
            None => Err(BadReason::MissingColumn { column: self.name(column) }),
            Some(Cell::Null) => Err(BadReason::NullColumn { column: self.name(column) }),
            Some(cell) => Ok(cell),
        }
    }

    /// The string of the cell, byte for byte.
    pub(super) fn text(&mut self, column: Column) -> Result<String, BadReason> {
        let cell = self.cell(column)?;
        text_of(cell, self.names.name(column))
    }

    /// The messages of the cell.
    pub(super) fn messages(&mut self, column: Column) -> Result<Vec<Message>, BadReason> {
        let cell = self.cell(column)?;
        messages(cell, self.names.name(column))
    }
}
