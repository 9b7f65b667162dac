//! Weights from a Parquet file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use super::place::Place;
use super::{GivenKind, GivenRow, GivenWeights, WeightColumns, WeightedSpan, WeightsError};
use crate::table::{Table, TableError, TableRows};

/// One row after the other, a batch in memory.
pub(super) struct ParquetRows {
    path: PathBuf,
    batches: TableRows,
    batch: Option<RecordBatch>,
    in_batch: usize,
    n_rows: u64,
}

impl ParquetRows {
    pub(super) fn open(path: PathBuf, file: File, columns: &WeightColumns) -> Result<Self, WeightsError> {
        let table = guarded(&path, || Table::open(file, ArrowReaderOptions::new()))?;
        let index_of = |name: &str| table.schema().index_of(name).ok();
        let mut wanted: Vec<usize> = index_of(&columns.row).into_iter().collect();
        for column in [&columns.chosen, &columns.rejected] {
            let place = Place { path: &path, row: 0, column };
            wanted.push(index_of(column).ok_or_else(|| place.missing(GivenKind::Weights))?);
        }
        let batches = guarded(&path, || table.rows(wanted))?;
        Ok(Self { path, batches, batch: None, in_batch: 0, n_rows: 0 })
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(super) fn next_row(&mut self, columns: &WeightColumns) -> Result<Option<GivenRow>, WeightsError> {
        while self.batch.as_ref().is_none_or(|batch| self.in_batch >= batch.num_rows()) {
            let batches = &mut self.batches;
            self.batch = guarded(&self.path, || batches.next_batch())?;
            self.in_batch = 0;
            if self.batch.is_none() {
                return Ok(None);
            }
        }
        let Some(batch) = &self.batch else { return Ok(None) };
        let (file_row, i) = (self.n_rows, self.in_batch);
        let place = |column| Place { path: &self.path, row: file_row, column };
        let row = match batch.column_by_name(&columns.row) {
            Some(array) if !array.is_null(i) => Some(row_of(array, i, place(&columns.row))?),
            _ => None,
        };
        let side = |column| {
            let array =
                batch.column_by_name(column).ok_or_else(|| place(column).missing(GivenKind::Weights))?;
            weights(array, i, place(column))
        };
        let given =
            GivenRow { file_row, row, chosen: side(&columns.chosen)?, rejected: side(&columns.rejected)? };
        self.in_batch += 1;
        self.n_rows += 1;
        Ok(Some(given))
    }
}

fn row_of(array: &ArrayRef, i: usize, place: Place<'_>) -> Result<u64, WeightsError> {
    let wrong = |found: &dyn std::fmt::Display| place.value(0, found, GivenKind::Row);
    let one = array.slice(i, 1);
    if !one.data_type().is_integer() {
        return Err(wrong(one.data_type()));
    }
    let one = cast(&one, &DataType::UInt64).map_err(|error| wrong(&error))?;
    if one.is_null(0) {
        Err(wrong(&"a number below 0"))
    } else {
        Ok(one.as_primitive::<UInt64Type>().value(0))
    }
}

fn weights(array: &ArrayRef, i: usize, place: Place<'_>) -> Result<GivenWeights, WeightsError> {
    let wrong = |found: &dyn std::fmt::Display| place.value(0, found, GivenKind::Weights);
    if array.is_null(i) {
        return Err(wrong(&"a null"));
    }
    let items = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(i),
        DataType::LargeList(_) => array.as_list::<i64>().value(i),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(i),
        other => return Err(wrong(other)),
    };
    match items.data_type() {
        DataType::Struct(_) => spans(&items, place),
        kind if kind.is_numeric() => Ok(GivenWeights::Tokens(numbers(&items, place, GivenKind::Number)?)),
        // A list without items may have any type.
        DataType::Null if items.is_empty() => Ok(GivenWeights::Tokens(Vec::new())),
        other => Err(wrong(&format!("a list of {other}"))),
    }
}

fn spans(items: &ArrayRef, place: Place<'_>) -> Result<GivenWeights, WeightsError> {
    let of = |name: &str| {
        let field = items.as_struct().column_by_name(name);
        let field = field.ok_or_else(|| place.value(0, items.data_type(), GivenKind::Span))?;
        numbers(field, place, GivenKind::Span)
    };
    let (starts, ends, weights) = (of("start")?, of("end")?, of("weight")?);
    let byte = |index: usize, value: f64| {
        let is_whole = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
        let wrong = || place.value(index, &value, GivenKind::Span);
        // Whole and in range, so the text of the number is that of an integer.
        if is_whole { value.to_string().parse().map_err(|_| wrong()) } else { Err(wrong()) }
    };
    let spans = starts.into_iter().zip(ends).zip(weights).enumerate().map(|(i, ((start, end), weight))| {
        place.span(i, WeightedSpan { start: byte(i, start)?, end: byte(i, end)?, weight })
    });
    Ok(GivenWeights::Spans(spans.collect::<Result<_, _>>()?))
}

/// The items as floats; truth values count as 1 and 0.
fn numbers(items: &ArrayRef, place: Place<'_>, kind: GivenKind) -> Result<Vec<f64>, WeightsError> {
    if let Some(index) = (0..items.len()).find(|&i| items.is_null(i)) {
        return Err(place.value(index, &"a null", kind));
    }
    let is_number = items.data_type().is_numeric() || *items.data_type() == DataType::Boolean;
    let wrong = || place.value(0, items.data_type(), kind);
    let floats =
        if is_number { cast(items, &DataType::Float64).map_err(|_| wrong())? } else { return Err(wrong()) };
    Ok(floats.as_primitive::<Float64Type>().values().to_vec())
}

/// What `decode` gives. The decoder panics on some damaged files; such a panic is an error too.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, TableError>) -> Result<T, WeightsError> {
    let path = || path.to_path_buf();
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(TableError::Parquet(source))) => Err(WeightsError::Parquet { path: path(), source }),
        Ok(Err(TableError::Fault(source))) => Err(WeightsError::Bounds { path: path(), source }),
        Err(_) => Err(WeightsError::Damaged { path: path() }),
    }
}
