//! Checked access to one row of a batch.

use std::path::Path;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StructArray};
use arrow::datatypes::{UInt32Type, UInt64Type};

use super::ArtifactError;
use super::column::Column;
use crate::Span;

/// A row of a file, for errors to name.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub(super) path: &'a Path,
    /// Row in the file, from 0.
    pub(super) row: u64,
}

impl Place<'_> {
    /// Whether `column` has as many values as the ids that it belongs to.
    pub(super) fn check_len(
        self,
        column: Column,
        found: usize,
        expected: usize,
    ) -> Result<(), ArtifactError> {
        if found == expected {
            return Ok(());
        }
        let (path, row) = (self.path.to_path_buf(), self.row);
        Err(ArtifactError::Length { path, row, column: column.name, found, expected })
    }
}

/// One row of a batch whose schema has been checked.
#[derive(Debug, Clone, Copy)]
pub struct RowView<'a> {
    pub(super) place: Place<'a>,
    pub(super) batch: &'a RecordBatch,
    pub(super) in_batch: usize,
}

impl<'a> RowView<'a> {
    pub(super) fn u64(&self, column: Column) -> Result<u64, ArtifactError> {
        let array = self.column(column)?;
        let values = array.as_primitive_opt().ok_or_else(|| self.wrong_type(column, array))?;
        self.refuse_null(column, values.is_null(self.in_batch))?;
        Ok(PrimitiveArray::<UInt64Type>::value(values, self.in_batch))
    }

    pub(super) fn boolean(&self, column: Column) -> Result<bool, ArtifactError> {
        let array = self.column(column)?;
        let values = array.as_boolean_opt().ok_or_else(|| self.wrong_type(column, array))?;
        self.refuse_null(column, values.is_null(self.in_batch))?;
        Ok(values.value(self.in_batch))
    }

    pub(super) fn list<T: ArrowPrimitiveType>(
        &self,
        column: Column,
    ) -> Result<Vec<T::Native>, ArtifactError> {
        let array = self.column(column)?;
        let items = self.items(column)?;
        self.refuse_null(column, items.is_none())?;
        let Some(items) = items else { return Ok(Vec::new()) };
        let values = items.as_primitive_opt::<T>().ok_or_else(|| self.wrong_type(column, array))?;
        self.refuse_null(column, values.null_count() > 0)?;
        Ok(values.values().to_vec())
    }

    /// Spans, or `None` for a null.
    pub(super) fn spans(&self, column: Column) -> Result<Option<Vec<Span>>, ArtifactError> {
        let Some(items) = self.items(column)? else { return Ok(None) };
        let items = items.as_struct_opt().ok_or_else(|| self.wrong_type(column, &items))?;
        self.refuse_null(column, items.null_count() > 0)?;
        let starts = self.span_end(column, items, "start")?;
        let ends = self.span_end(column, items, "end")?;
        Ok(Some(starts.iter().zip(ends).map(|(&start, &end)| Span { start, end }).collect()))
    }

    fn span_end<'s>(
        &self,
        column: Column,
        items: &'s StructArray,
        name: &str,
    ) -> Result<&'s [u32], ArtifactError> {
        let values = items.column_by_name(name).and_then(|array| array.as_primitive_opt::<UInt32Type>());
        let values = values.ok_or_else(|| self.wrong_type(column, items))?;
        self.refuse_null(column, values.null_count() > 0)?;
        Ok(values.values())
    }

    fn items(&self, column: Column) -> Result<Option<ArrayRef>, ArtifactError> {
        let array = self.column(column)?;
        let list = array.as_list_opt::<i32>().ok_or_else(|| self.wrong_type(column, array))?;
        Ok((!list.is_null(self.in_batch)).then(|| list.value(self.in_batch)))
    }

    fn column(&self, column: Column) -> Result<&'a dyn Array, ArtifactError> {
        let (name, expected) = (column.name, column.expected());
        self.batch.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| ArtifactError::MissingColumn {
            path: self.place.path.to_path_buf(),
            column: name,
            expected,
        })
    }

    fn refuse_null(&self, column: Column, is_null: bool) -> Result<(), ArtifactError> {
        if !is_null {
            return Ok(());
        }
        let (path, row, expected) = (self.place.path.to_path_buf(), self.place.row, column.expected());
        Err(ArtifactError::Null { path, row, column: column.name, expected })
    }

    fn wrong_type(&self, column: Column, found: &dyn Array) -> ArtifactError {
        ArtifactError::ColumnType {
            path: self.place.path.to_path_buf(),
            column: column.name,
            expected: column.expected(),
            found: Box::new(found.data_type().clone()),
        }
    }
}
