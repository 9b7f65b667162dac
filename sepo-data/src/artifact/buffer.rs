//! Lists that wait for their row group.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, ListArray, PrimitiveArray, StructArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::column::{element, span_fields};
use crate::Span;

/// Rows after which a row group ends.
const ROWS_PER_GROUP: usize = 8192;
/// Tokens after which a row group ends: with logps, scores and spans, some 30 MB of memory.
const TOKENS_PER_GROUP: usize = 1 << 20;

/// Whether so many buffered rows and tokens make a row group.
pub(super) fn is_row_group(n_rows: usize, n_tokens: usize) -> bool {
    n_rows >= ROWS_PER_GROUP || n_tokens >= TOKENS_PER_GROUP
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
    pub(super) fn push(&mut self, row: &[T::Native]) -> Option<()> {
        self.offsets.push(i32::try_from(self.values.len() + row.len()).ok()?);
        self.values.extend_from_slice(row);
        Some(())
    }

    /// The rows so far as an array; the buffer is empty afterwards.
    pub(super) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let Self { values, offsets } = std::mem::take(self);
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
    pub(super) fn push(&mut self, row: Option<&[Span]>) -> Option<()> {
        let spans = row.unwrap_or_default();
        self.offsets.push(i32::try_from(self.starts.len() + spans.len()).ok()?);
        self.starts.extend(spans.iter().map(|span| span.start));
        self.ends.extend(spans.iter().map(|span| span.end));
        self.present.push(row.is_some());
        Some(())
    }

    /// The rows so far as an array; the buffer is empty afterwards.
    pub(super) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        let Self { starts, ends, offsets, present } = std::mem::take(self);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(UInt32Array::from(starts)), Arc::new(UInt32Array::from(ends))];
        let values: ArrayRef = Arc::new(StructArray::try_new(span_fields(), columns, None)?);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let nulls = NullBuffer::from(present);
        let item = element(DataType::Struct(span_fields()));
        Ok(Arc::new(ListArray::try_new(item, offsets, values, Some(nulls))?))
    }
}
