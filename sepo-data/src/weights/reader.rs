//! A file of weights, row by row.

use std::path::Path;

use super::json::JsonRows;
use super::parquet::ParquetRows;
use super::place::Place;
use super::{GivenKind, GivenRow, GivenWeights, WeightColumns, WeightsError};
use crate::format::{Container, by_path, open_seekable, open_stream};

/// The rows of a file of weights, in order, as an iterator. It ends after the first error.
///
/// # Examples
///
/// ```
/// use sepo_data::{GivenWeights, GivenWeightsReader, WeightColumns, WeightedSpan};
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("weights.jsonl");
/// let line = r#"{"row": 7, "chosen_weights": [0, 0.5], "rejected_weights": [{"start": 0, "end": 4, "weight": true}]}"#;
/// std::fs::write(&path, line)?;
///
/// let mut rows = GivenWeightsReader::open(&path, WeightColumns::default())?;
/// let row = rows.next().unwrap()?;
/// assert_eq!((row.row, row.chosen), (Some(7), GivenWeights::Tokens(vec![0.0, 0.5])));
/// assert_eq!(row.rejected, GivenWeights::Spans(vec![WeightedSpan { start: 0, end: 4, weight: 1.0 }]));
/// assert!(rows.next().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct GivenWeightsReader {
    columns: WeightColumns,
    rows: Rows,
    is_done: bool,
}

enum Rows {
    Json(JsonRows),
    Parquet(Box<ParquetRows>),
}

impl GivenWeightsReader {
    /// An open file.
    ///
    /// # Errors
    ///
    /// * [`WeightsError::Open`], [`WeightsError::Container`]: the file is not there, or of no type that holds weights.
    /// * [`WeightsError::Parquet`], [`WeightsError::Bounds`], [`WeightsError::Damaged`]: not a readable Parquet file.
    /// * [`WeightsError::MissingColumn`]: a Parquet file without one of the weights' columns.
    pub fn open(path: impl AsRef<Path>, columns: WeightColumns) -> Result<Self, WeightsError> {
        let path = path.as_ref().to_path_buf();
        let (container, compression) = by_path(&path)?;
        let rows = match container {
            Container::Json => Rows::Json(JsonRows::new(path.clone(), open_stream(&path, compression)?)),
            Container::Parquet => {
                let file = open_seekable(&path, compression)?;
                Rows::Parquet(Box::new(ParquetRows::open(path, file, &columns)?))
            }
            Container::Arrow => return Err(WeightsError::Container { path }),
        };
        Ok(Self { columns, rows, is_done: false })
    }
}

impl Iterator for GivenWeightsReader {
    type Item = Result<GivenRow, WeightsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let row = match &mut self.rows {
            Rows::Json(rows) => rows.next_row(&self.columns),
            Rows::Parquet(rows) => rows.next_row(&self.columns),
        };
        let row = row.and_then(|row| row.map(|row| self.checked(row)).transpose()).transpose();
        self.is_done = !matches!(row, Some(Ok(_)));
        row
    }
}

impl GivenWeightsReader {
    /// The row, all of whose weights are finite.
    fn checked(&self, row: GivenRow) -> Result<GivenRow, WeightsError> {
        let path = match &self.rows {
            Rows::Json(rows) => rows.path(),
            Rows::Parquet(rows) => rows.path(),
        };
        for (column, given) in [(&self.columns.chosen, &row.chosen), (&self.columns.rejected, &row.rejected)]
        {
            let bad = match given {
                GivenWeights::Tokens(weights) => {
                    weights.iter().copied().enumerate().find(|w| !w.1.is_finite())
                }
                GivenWeights::Spans(spans) => {
                    spans.iter().map(|span| span.weight).enumerate().find(|w| !w.1.is_finite())
                }
            };
            if let Some((index, weight)) = bad {
                let place = Place { path, row: row.file_row, column };
                return Err(place.value(index, &weight, GivenKind::Number));
            }
        }
        Ok(row)
    }
}
