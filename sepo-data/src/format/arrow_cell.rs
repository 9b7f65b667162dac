//! Cells out of Arrow arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, Schema, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use super::cell::{Cell, Cells, RawRow};
use super::column::{Column, ColumnNames};

/// Top-level columns of `schema` that some format reads, by their index in it.
pub(super) fn wanted(schema: &Schema, names: &ColumnNames) -> Vec<usize> {
    (0..schema.fields().len()).filter(|&index| names.column(schema.field(index).name()).is_some()).collect()
}

/// A record batch that is handed out row by row.
pub(super) struct BatchRows {
    columns: Vec<(Column, ArrayRef)>,
    n_rows: usize,
    next: usize,
}

impl BatchRows {
    /// The rows of `batch`.
    pub(super) fn new(batch: &RecordBatch, names: &ColumnNames) -> Self {
        let schema = batch.schema();
        let columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .filter_map(|(field, array)| Some((names.column(field.name())?, Arc::clone(array))))
            .collect();
        Self { columns, n_rows: batch.num_rows(), next: 0 }
    }

    /// No rows.
    pub(super) fn empty() -> Self {
        Self { columns: Vec::new(), n_rows: 0, next: 0 }
    }
}

impl Iterator for BatchRows {
    type Item = RawRow;

    fn next(&mut self) -> Option<RawRow> {
        if self.next == self.n_rows {
            return None;
        }
        let mut cells = Box::new(Cells::default());
        for (column, array) in &self.columns {
            cells.set(*column, cell(array.as_ref(), self.next));
        }
        self.next += 1;
        Some(RawRow::Columns(cells))
    }
}

/// Element `index` of `array`.
fn cell(array: &dyn Array, index: usize) -> Cell {
    if array.is_null(index) {
        return Cell::Null;
    }
    let text = |text: &str| Cell::Text(text.to_owned());
    let binary = |bytes: &[u8]| Cell::Binary(bytes.to_vec());
    match array.data_type() {
        DataType::Utf8 => text(array.as_string::<i32>().value(index)),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(index)),
        DataType::Utf8View => text(array.as_string_view().value(index)),
        DataType::Binary => binary(array.as_binary::<i32>().value(index)),
        DataType::LargeBinary => binary(array.as_binary::<i64>().value(index)),
        DataType::BinaryView => binary(array.as_binary_view().value(index)),
        DataType::Boolean => Cell::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Cell::Float,
        DataType::List(_) => list(&array.as_list::<i32>().value(index)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(index)),
        DataType::ListView(_) => list(&array.as_list_view::<i32>().value(index)),
        DataType::LargeListView(_) => list(&array.as_list_view::<i64>().value(index)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(index)),
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let field = |(field, column): (&Arc<arrow::datatypes::Field>, &ArrayRef)| {
                (field.name().clone(), cell(column.as_ref(), index))
            };
            Cell::Struct(fields.iter().zip(columns).map(field).collect())
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = integer(dictionary.keys(), index).and_then(|key| usize::try_from(key).ok());
            key.map_or(Cell::Other, |key| cell(dictionary.values().as_ref(), key))
        }
        _ => integer(array, index).map_or(Cell::Other, Cell::Integer),
    }
}

fn list(items: &ArrayRef) -> Cell {
    Cell::List((0..items.len()).map(|index| cell(items.as_ref(), index)).collect())
}

/// Element `index` of an array of any integer type, which is not null there; `None` for other types.
fn integer(array: &dyn Array, index: usize) -> Option<i128> {
    fn value<T: ArrowPrimitiveType>(array: &dyn Array, index: usize) -> Option<i128>
    where
        T::Native: Into<i128>,
    {
        Some(array.as_primitive_opt::<T>()?.value(index).into())
    }
    match array.data_type() {
        DataType::Int8 => value::<Int8Type>(array, index),
        DataType::Int16 => value::<Int16Type>(array, index),
        DataType::Int32 => value::<Int32Type>(array, index),
        DataType::Int64 => value::<Int64Type>(array, index),
        DataType::UInt8 => value::<UInt8Type>(array, index),
        DataType::UInt16 => value::<UInt16Type>(array, index),
        DataType::UInt32 => value::<UInt32Type>(array, index),
        DataType::UInt64 => value::<UInt64Type>(array, index),
        _ => None,
    }
}
