//! Cells out of Arrow arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type, Schema, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};

use super::budget::Budget;
use super::cell::{Cell, Cells, RawRow};
use super::column::{Column, ColumnNames};
use crate::BadReason;

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
    type Item = Result<RawRow, BadReason>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.n_rows {
            return None;
        }
        let index = self.next;
        self.next += 1;
        Some(self.row(index))
    }
}

impl BatchRows {
    fn row(&self, index: usize) -> Result<RawRow, BadReason> {
        let mut cells = Box::new(Cells::default());
        let budget = Budget::new();
        for (column, array) in &self.columns {
            cells.set(*column, cell(array.as_ref(), index, &budget)?);
        }
        Ok(RawRow::Columns(cells))
    }
}

/// Element `index` of `array`, within what the row may still take.
fn cell(array: &dyn Array, index: usize, budget: &Budget) -> Result<Cell, BadReason> {
    if array.is_null(index) {
        budget.take(0)?;
        return Ok(Cell::Null);
    }
    let text = |text: &str| budget.take(text.len()).map(|()| Cell::Text(text.to_owned()));
    let binary = |bytes: &[u8]| budget.take(bytes.len()).map(|()| Cell::Binary(bytes.to_vec()));
    let list = |items: &ArrayRef| list(items, budget);
    match array.data_type() {
        DataType::Utf8 => text(array.as_string::<i32>().value(index)),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(index)),
        DataType::Utf8View => text(array.as_string_view().value(index)),
        DataType::Binary => binary(array.as_binary::<i32>().value(index)),
        DataType::LargeBinary => binary(array.as_binary::<i64>().value(index)),
        DataType::BinaryView => binary(array.as_binary_view().value(index)),
        DataType::List(_) => list(&array.as_list::<i32>().value(index)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(index)),
        DataType::ListView(_) => list(&array.as_list_view::<i32>().value(index)),
        DataType::LargeListView(_) => list(&array.as_list_view::<i64>().value(index)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(index)),
        DataType::Struct(fields) => {
            budget.take(0)?;
            let columns = array.as_struct().columns();
            let field = |(field, column): (&Arc<arrow::datatypes::Field>, &ArrayRef)| {
                budget.take(field.name().len())?;
                Ok((field.name().clone(), cell(column.as_ref(), index, budget)?))
            };
            fields.iter().zip(columns).map(field).collect::<Result<_, _>>().map(Cell::Struct)
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = integer(dictionary.keys(), index).and_then(|key| usize::try_from(key).ok());
            key.map_or(Ok(Cell::Other), |key| cell(dictionary.values().as_ref(), key, budget))
        }
        data_type => {
            budget.take(0)?;
            Ok(match data_type {
                DataType::Boolean => Cell::Boolean,
                DataType::Float16 | DataType::Float32 | DataType::Float64 => Cell::Float,
                _ => integer(array, index).map_or(Cell::Other, Cell::Integer),
            })
        }
    }
}

fn list(items: &ArrayRef, budget: &Budget) -> Result<Cell, BadReason> {
    budget.take(0)?;
    if let Some(cells) = integers(items.as_ref(), budget) {
        return Ok(Cell::List(cells?));
    }
    (0..items.len())
        .map(|index| cell(items.as_ref(), index, budget))
        .collect::<Result<_, _>>()
        .map(Cell::List)
}

/// The elements of an array of ids, which have thousands; `None` for other types.
fn integers(items: &dyn Array, budget: &Budget) -> Option<Result<Vec<Cell>, BadReason>> {
    fn values<T: ArrowPrimitiveType>(items: &dyn Array) -> Option<Vec<Cell>>
    where
        T::Native: Into<i128>,
    {
        let value = |value: Option<T::Native>| value.map_or(Cell::Null, |value| Cell::Integer(value.into()));
        Some(items.as_primitive_opt::<T>()?.iter().map(value).collect())
    }
    let values = match items.data_type() {
        DataType::Int32 => values::<Int32Type>,
        DataType::Int64 => values::<Int64Type>,
        DataType::UInt32 => values::<UInt32Type>,
        _ => return None,
    };
    match budget.take_values(items.len()) {
        Ok(()) => values(items).map(Ok),
        Err(reason) => Some(Err(reason)),
    }
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
