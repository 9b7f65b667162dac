//! Columns of the schemas: their types, and checked access to one row of them.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, UInt32Type};

use super::ArtifactError;
use crate::Span;

/// The types that columns have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    UInt64,
    Boolean,
    UInt32List,
    Float32List,
    /// May be null as a whole.
    SpanList,
}

/// A column of a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: ColumnKind,
}

impl Column {
    pub(super) const fn new(name: &'static str, kind: ColumnKind) -> Self {
        Self { name, kind }
    }

    fn matches(self, found: &DataType) -> bool {
        match (self.kind, found) {
            (ColumnKind::UInt64, DataType::UInt64) | (ColumnKind::Boolean, DataType::Boolean) => true,
            (ColumnKind::UInt32List, DataType::List(item)) => *item.data_type() == DataType::UInt32,
            (ColumnKind::Float32List, DataType::List(item)) => *item.data_type() == DataType::Float32,
            (ColumnKind::SpanList, DataType::List(item)) => match item.data_type() {
                DataType::Struct(fields) => ["start", "end"].iter().all(|name| {
                    fields.find(name).is_some_and(|(_, field)| *field.data_type() == DataType::UInt32)
                }),
                _ => false,
            },
            _ => false,
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self.kind {
            ColumnKind::UInt64 => "UInt64",
            ColumnKind::Boolean => "Boolean",
            ColumnKind::UInt32List => "List<UInt32>",
            ColumnKind::Float32List => "List<Float32>",
            ColumnKind::SpanList => "List<Struct<start: UInt32, end: UInt32>>",
        }
    }

    fn data_type(self) -> DataType {
        match self.kind {
            ColumnKind::UInt64 => DataType::UInt64,
            ColumnKind::Boolean => DataType::Boolean,
            ColumnKind::UInt32List => DataType::List(element(DataType::UInt32)),
            ColumnKind::Float32List => DataType::List(element(DataType::Float32)),
            ColumnKind::SpanList => DataType::List(element(DataType::Struct(span_fields()))),
        }
    }

    /// Whether a file's schema has this column, with this type.
    pub(super) fn check(self, path: &Path, schema: &Schema) -> Result<usize, ArtifactError> {
        let (column, expected) = (self.name, self.expected());
        let Ok(index) = schema.index_of(column) else {
            return Err(ArtifactError::MissingColumn { path: path.to_path_buf(), column, expected });
        };
        let found = schema.field(index).data_type();
        if !self.matches(found) {
            let found = Box::new(found.clone());
            return Err(ArtifactError::ColumnType { path: path.to_path_buf(), column, expected, found });
        }
        Ok(index)
    }
}

/// The Arrow schema of `columns`. Items are named as the Parquet specification names them.
pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    let field = |c: &Column| Field::new(c.name, c.data_type(), c.kind == ColumnKind::SpanList);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Fields>()))
}

pub(super) fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, false))
}

pub(super) fn span_fields() -> Fields {
    ["start", "end"].map(|name| Field::new(name, DataType::UInt32, false)).into_iter().collect()
}

/// One row of a batch whose schema has been checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowView<'a> {
    pub(super) path: &'a Path,
    pub(super) batch: &'a RecordBatch,
    pub(super) in_batch: usize,
    /// Row in the file.
    pub(super) row: u64,
}

impl<'a> RowView<'a> {
    pub(super) fn u64(&self, column: Column) -> Result<u64, ArtifactError> {
        let array = self.column(column)?;
        let values = array.as_primitive_opt().ok_or_else(|| self.wrong_type(column, array))?;
        self.refuse_null(column, values.is_null(self.in_batch))?;
        Ok(PrimitiveArray::<arrow::datatypes::UInt64Type>::value(values, self.in_batch))
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

    /// A list that must be as long as the ids it belongs to.
    pub(super) fn list_of<T: ArrowPrimitiveType>(
        &self,
        column: Column,
        expected: usize,
    ) -> Result<Vec<T::Native>, ArtifactError> {
        let values = self.list::<T>(column)?;
        self.check_len(column, values.len(), expected)?;
        Ok(values)
    }

    /// Spans of `expected` tokens, or `None` for a null.
    pub(super) fn spans(&self, column: Column, expected: usize) -> Result<Option<Vec<Span>>, ArtifactError> {
        let Some(items) = self.items(column)? else { return Ok(None) };
        self.check_len(column, items.len(), expected)?;
        let items = items.as_struct_opt().ok_or_else(|| self.wrong_type(column, &items))?;
        self.refuse_null(column, items.null_count() > 0)?;
        let starts = self.span_end(column, items, "start")?;
        let ends = self.span_end(column, items, "end")?;
        Ok(Some(starts.iter().zip(ends).map(|(&start, &end)| Span { start, end }).collect()))
    }

    pub(super) fn check_len(
        &self,
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

    fn items(&self, column: Column) -> Result<Option<arrow::array::ArrayRef>, ArtifactError> {
        let array = self.column(column)?;
        let list = array.as_list_opt::<i32>().ok_or_else(|| self.wrong_type(column, array))?;
        Ok((!list.is_null(self.in_batch)).then(|| list.value(self.in_batch)))
    }

    fn column(&self, column: Column) -> Result<&'a dyn Array, ArtifactError> {
        let (name, expected) = (column.name, column.expected());
        self.batch.column_by_name(name).map(AsRef::as_ref).ok_or_else(|| ArtifactError::MissingColumn {
            path: self.path.to_path_buf(),
            column: name,
            expected,
        })
    }

    fn refuse_null(&self, column: Column, is_null: bool) -> Result<(), ArtifactError> {
        if !is_null {
            return Ok(());
        }
        let (path, row, expected) = (self.path.to_path_buf(), self.row, column.expected());
        Err(ArtifactError::Null { path, row, column: column.name, expected })
    }

    fn wrong_type(&self, column: Column, found: &dyn Array) -> ArtifactError {
        ArtifactError::ColumnType {
            path: self.path.to_path_buf(),
            column: column.name,
            expected: column.expected(),
            found: Box::new(found.data_type().clone()),
        }
    }
}
