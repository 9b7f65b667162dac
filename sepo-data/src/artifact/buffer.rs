//! Columns that wait for their row group.

use std::mem::take;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, ListArray, PrimitiveArray, StructArray, UInt32Array,
    UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Float32Type, UInt32Type};
use arrow::error::ArrowError;

use super::column::{Column, ColumnKind, element, span_fields};
use super::row::Value;
use crate::Span;

/// Rows after which a row group ends.
const ROWS_PER_GROUP: usize = 8192;
/// Bytes of values after which a row group ends; a million scored tokens.
const BYTES_PER_GROUP: usize = 24 << 20;

/// Whether so many buffered rows, or bytes of values, make a row group.
pub(super) fn is_row_group(n_rows: usize, n_bytes: usize) -> bool {
    n_rows >= ROWS_PER_GROUP || n_bytes >= BYTES_PER_GROUP
}

/// A column under construction.
#[derive(Debug)]
pub(super) enum ColumnBuffer {
    UInt64(Vec<u64>),
    Boolean(Vec<bool>),
    UInt32List(ListBuffer<UInt32Type>),
    Float32List(ListBuffer<Float32Type>),
    SpanList(SpanBuffer),
}

impl ColumnBuffer {
    pub(super) fn new(column: Column) -> Self {
        match column.kind {
            ColumnKind::UInt64 => Self::UInt64(Vec::new()),
            ColumnKind::Boolean => Self::Boolean(Vec::new()),
            ColumnKind::UInt32List => Self::UInt32List(ListBuffer::default()),
            ColumnKind::Float32List => Self::Float32List(ListBuffer::default()),
            ColumnKind::SpanList => Self::SpanList(SpanBuffer::default()),
        }
    }

    /// Adds a row's value. `None` where a list's offsets would not fit 32 bits; the value is then not added.
    pub(super) fn push(&mut self, value: Value<'_>) -> Option<()> {
        match (self, value) {
            (Self::UInt64(buffer), Value::UInt64(number)) => buffer.push(number),
            (Self::Boolean(buffer), Value::Boolean(flag)) => buffer.push(flag),
            (Self::UInt32List(buffer), Value::UInt32List(items)) => buffer.push(items)?,
            (Self::Float32List(buffer), Value::Float32List(items)) => buffer.push(items)?,
            (Self::SpanList(buffer), Value::SpanList(spans)) => buffer.push(spans)?,
            (buffer, value) => unreachable!("{value:?} is not of the column's kind: {buffer:?}"),
        }
        Some(())
    }

    /// The values so far as an array; the buffer is empty afterwards.
    pub(super) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::UInt64(buffer) => Arc::new(UInt64Array::from(take(buffer))),
            Self::Boolean(buffer) => Arc::new(BooleanArray::from(take(buffer))),
            Self::UInt32List(buffer) => buffer.take()?,
            Self::Float32List(buffer) => buffer.take()?,
            Self::SpanList(buffer) => buffer.take()?,
        })
    }
}

/// A list column under construction.
#[derive(Debug)]
pub(super) struct ListBuffer<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    offsets: Vec<i32>,
}

impl<T: ArrowPrimitiveType> Default for ListBuffer<T> {
    fn default() -> Self {
        Self { values: Vec::new(), offsets: vec![0] }
    }
}

impl<T: ArrowPrimitiveType> ListBuffer<T> {
    /// Adds a row. `None` where the offsets' 32 bits do not suffice; the row is then not added.
    fn push(&mut self, row: &[T::Native]) -> Option<()> {
        self.offsets.push(i32::try_from(self.values.len() + row.len()).ok()?);
        self.values.extend_from_slice(row);
        Some(())
    }

    /// The rows so far as an array; the buffer is empty afterwards.
    fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let Self { values, offsets } = take(self);
        let values: ArrayRef = Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), None));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(element(T::DATA_TYPE), offsets, values, None)?))
    }
}

/// A span column under construction.
#[derive(Debug)]
pub(super) struct SpanBuffer {
    starts: Vec<u32>,
    ends: Vec<u32>,
    offsets: Vec<i32>,
    present: Vec<bool>,
}

impl Default for SpanBuffer {
    fn default() -> Self {
        Self { starts: Vec::new(), ends: Vec::new(), offsets: vec![0], present: Vec::new() }
    }
}

impl SpanBuffer {
    /// Adds a row. `None` where the offsets' 32 bits do not suffice; the row is then not added.
    fn push(&mut self, row: Option<&[Span]>) -> Option<()> {
        let spans = row.unwrap_or_default();
        self.offsets.push(i32::try_from(self.starts.len() + spans.len()).ok()?);
        self.starts.extend(spans.iter().map(|span| span.start));
        self.ends.extend(spans.iter().map(|span| span.end));
        self.present.push(row.is_some());
        Some(())
    }

    /// The rows so far as an array; the buffer is empty afterwards.
    fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let Self { starts, ends, offsets, present } = take(self);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(UInt32Array::from(starts)), Arc::new(UInt32Array::from(ends))];
        let values: ArrayRef = Arc::new(StructArray::try_new(span_fields(), columns, None)?);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let nulls = NullBuffer::from(present);
        let item = element(DataType::Struct(span_fields()));
        Ok(Arc::new(ListArray::try_new(item, offsets, values, Some(nulls))?))
    }
}
