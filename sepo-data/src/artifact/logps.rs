//! `logps.parquet`: log-probabilities of response tokens under one model, such as a frozen reference.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::Float32Type;
use arrow::error::ArrowError;

use super::buffer::{ListBuffer, is_row_group};
use super::column::{Column, ColumnKind};
use super::scores::ROW;
use super::table::{TableReader, TableWriter};
use super::{ArtifactError, LogpsMeta};

/// One row of `logps.parquet`.
///
/// # Which token an index names
///
/// `chosen_logps[i]` is the log-probability of the pair's chosen response token `i`, the first included. The ids are
/// not repeated here: `row` names the pair, and its owner compares the lengths.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PairLogps {
    /// Row in the source.
    pub row: u64,
    /// One natural log-probability a chosen token.
    pub chosen_logps: Vec<f32>,
    /// One natural log-probability a rejected token.
    pub rejected_logps: Vec<f32>,
}

const CHOSEN_LOGPS: Column = Column::new("chosen_logps", ColumnKind::Float32List);
const REJECTED_LOGPS: Column = Column::new("rejected_logps", ColumnKind::Float32List);
const COLUMNS: [Column; 3] = [ROW, CHOSEN_LOGPS, REJECTED_LOGPS];

/// A `logps.parquet` under construction. It appears under its name with [`finish`](Self::finish); dropped before, it
/// leaves nothing. `n_pairs` in the metadata is kept by the writer.
#[derive(Debug)]
pub struct LogpsWriter {
    table: TableWriter,
    meta: LogpsMeta,
    rows: Vec<u64>,
    chosen: ListBuffer<Float32Type>,
    rejected: ListBuffer<Float32Type>,
    n_tokens: usize,
}

impl LogpsWriter {
    /// An empty file with the given metadata, whose count of pairs is set to 0.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Write`]: the file cannot be created; its folder must exist.
    pub fn create(path: impl AsRef<Path>, meta: LogpsMeta) -> Result<Self, ArtifactError> {
        let table = TableWriter::create(path.as_ref(), &COLUMNS, &[CHOSEN_LOGPS, REJECTED_LOGPS])?;
        let (rows, chosen, rejected) = Default::default();
        Ok(Self { table, meta: LogpsMeta { n_pairs: 0, ..meta }, rows, chosen, rejected, n_tokens: 0 })
    }

    /// The metadata as it will be written; what becomes known on the way can be set until the file is finished.
    pub fn meta_mut(&mut self) -> &mut LogpsMeta {
        &mut self.meta
    }

    /// Adds one pair.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::TooLong`], [`ArtifactError::Encode`]: the file cannot go on.
    pub fn write(&mut self, pair: &PairLogps) -> Result<(), ArtifactError> {
        self.rows.push(pair.row);
        let sides = [
            (CHOSEN_LOGPS, &mut self.chosen, &pair.chosen_logps),
            (REJECTED_LOGPS, &mut self.rejected, &pair.rejected_logps),
        ];
        for (column, buffer, logps) in sides {
            buffer.push(logps).ok_or_else(|| ArtifactError::TooLong {
                path: self.table.path().to_path_buf(),
                row: self.meta.n_pairs,
                column: column.name,
            })?;
        }
        self.n_tokens += pair.chosen_logps.len() + pair.rejected_logps.len();
        self.meta.n_pairs += 1;
        if is_row_group(self.rows.len(), self.n_tokens) {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes what is left and puts the file under its final name.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Encode`], [`ArtifactError::Meta`], [`ArtifactError::Write`]: nothing is left under the
    ///   final name that was not there before.
    pub fn finish(mut self) -> Result<LogpsMeta, ArtifactError> {
        self.write_group()?;
        self.table.finish(&self.meta)?;
        Ok(self.meta)
    }

    fn write_group(&mut self) -> Result<(), ArtifactError> {
        self.n_tokens = 0;
        let columns = self.take_columns();
        self.table.write_group(columns)
    }

    fn take_columns(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let rows = Arc::new(UInt64Array::from(std::mem::take(&mut self.rows)));
        Ok(vec![rows, self.chosen.take()?, self.rejected.take()?])
    }
}

/// The rows of a `logps.parquet`, in order, as an iterator. It ends after the first error.
///
/// # Examples
///
/// ```
/// use sepo_data::{LogpsMeta, LogpsReader, LogpsWriter, PairLogps};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("logps.parquet");
/// let pair = PairLogps { row: 3, chosen_logps: vec![-0.5, -1.0], rejected_logps: vec![-2.0] };
/// let mut writer = LogpsWriter::create(&path, LogpsMeta::default())?;
/// writer.write(&pair)?;
/// writer.finish()?;
/// assert_eq!(LogpsReader::open(&path)?.collect::<Result<Vec<_>, _>>()?, [pair]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LogpsReader {
    table: TableReader,
    meta: LogpsMeta,
}

impl LogpsReader {
    /// An open file, its schema and metadata checked.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Read`], [`ArtifactError::Parquet`]: not a readable Parquet file.
    /// * [`ArtifactError::MissingColumn`], [`ArtifactError::ColumnType`]: another schema.
    /// * [`ArtifactError::MissingMeta`], [`ArtifactError::Meta`]: no usable `sepo` metadata.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ArtifactError> {
        let (table, meta) = TableReader::open(path.as_ref(), &COLUMNS)?;
        Ok(Self { table, meta })
    }

    /// Where the log-probabilities came from.
    #[must_use]
    pub fn meta(&self) -> &LogpsMeta {
        &self.meta
    }

    /// Rows in the file.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.table.n_rows()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.table.path()
    }
}

impl Iterator for LogpsReader {
    type Item = Result<PairLogps, ArtifactError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.table.next_row(|view| {
            Ok(PairLogps {
                row: view.u64(ROW)?,
                chosen_logps: view.list::<Float32Type>(CHOSEN_LOGPS)?,
                rejected_logps: view.list::<Float32Type>(REJECTED_LOGPS)?,
            })
        })
    }
}
