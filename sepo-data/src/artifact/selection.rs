//! `selection.parquet`: a weight for every response token.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt64Array};
use arrow::datatypes::{Float32Type, UInt32Type};
use arrow::error::ArrowError;

use super::buffer::{ListBuffer, is_row_group};
use super::column::{Column, ColumnKind};
use super::scores::{PROMPT_IDS, ROW, side_columns};
use super::table::{TableReader, TableWriter};
use super::{ArtifactError, SelectionMeta};
use crate::Side;

/// One row of `selection.parquet`.
///
/// # Which token an index names
///
/// `chosen_weights[i]` belongs to `chosen_ids[i]` as the *predicted* token. Weight 0 is not selected; any other
/// finite weight is allowed, a negative one included.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SelectedPair {
    /// Row in the source.
    pub row: u64,
    /// Ids before the responses.
    pub prompt_ids: Vec<u32>,
    /// Ids of the preferred response.
    pub chosen_ids: Vec<u32>,
    /// Ids of the dispreferred response.
    pub rejected_ids: Vec<u32>,
    /// One weight a chosen token.
    pub chosen_weights: Vec<f32>,
    /// One weight a rejected token.
    pub rejected_weights: Vec<f32>,
}

const CHOSEN_IDS: Column = side_columns(Side::Chosen).ids;
const REJECTED_IDS: Column = side_columns(Side::Rejected).ids;
const CHOSEN_WEIGHTS: Column = Column::new("chosen_weights", ColumnKind::Float32List);
const REJECTED_WEIGHTS: Column = Column::new("rejected_weights", ColumnKind::Float32List);
const COLUMNS: [Column; 6] = [ROW, PROMPT_IDS, CHOSEN_IDS, REJECTED_IDS, CHOSEN_WEIGHTS, REJECTED_WEIGHTS];

/// A `selection.parquet` under construction. It appears under its name with [`finish`](Self::finish); dropped before,
/// it leaves nothing. `n_kept` and both sides' token counts in the metadata are kept by the writer.
#[derive(Debug)]
pub struct SelectionWriter {
    table: TableWriter,
    meta: SelectionMeta,
    rows: Vec<u64>,
    ids: [ListBuffer<UInt32Type>; 3],
    weights: [ListBuffer<Float32Type>; 2],
    n_tokens: usize,
}

impl SelectionWriter {
    /// An empty file with the given metadata, whose counts of kept pairs and tokens are set to 0.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Write`]: the file cannot be created; its folder must exist.
    pub fn create(path: impl AsRef<Path>, meta: SelectionMeta) -> Result<Self, ArtifactError> {
        let table = TableWriter::create(path.as_ref(), &COLUMNS, &[])?;
        let (chosen, rejected) = Default::default();
        let meta = SelectionMeta { n_kept: 0, chosen, rejected, ..meta };
        let (rows, ids, weights) = Default::default();
        Ok(Self { table, meta, rows, ids, weights, n_tokens: 0 })
    }

    /// The metadata as it will be written; what becomes known on the way can be set until the file is finished.
    pub fn meta_mut(&mut self) -> &mut SelectionMeta {
        &mut self.meta
    }

    /// Adds one pair.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Length`], [`ArtifactError::NonFiniteWeight`]: weights that do not fit. Nothing is added.
    /// * [`ArtifactError::TooLong`], [`ArtifactError::Encode`]: the file cannot go on.
    pub fn write(&mut self, pair: &SelectedPair) -> Result<(), ArtifactError> {
        check(self.table.path(), self.meta.n_kept, pair)?;
        let ids = [&pair.prompt_ids, &pair.chosen_ids, &pair.rejected_ids];
        let weights = [&pair.chosen_weights, &pair.rejected_weights];
        self.rows.push(pair.row);
        let ids_fit = self.ids.iter_mut().zip(ids).all(|(buffer, ids)| buffer.push(ids).is_some());
        let fit = ids_fit && self.weights.iter_mut().zip(weights).all(|(buffer, w)| buffer.push(w).is_some());
        if !fit {
            let path = self.table.path().to_path_buf();
            return Err(ArtifactError::TooLong { path, row: self.meta.n_kept, column: "chosen_ids" });
        }
        self.n_tokens += ids.iter().map(|ids| ids.len()).sum::<usize>();
        self.meta.n_kept += 1;
        for (counts, weights) in [&mut self.meta.chosen, &mut self.meta.rejected].into_iter().zip(weights) {
            counts.n_tokens += weights.len() as u64;
            counts.n_selected += weights.iter().filter(|&&w| w != 0.0).count() as u64;
        }
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
    pub fn finish(mut self) -> Result<SelectionMeta, ArtifactError> {
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
        let rows: ArrayRef = Arc::new(UInt64Array::from(std::mem::take(&mut self.rows)));
        let lists = self.ids.iter_mut().map(ListBuffer::take);
        std::iter::once(Ok(rows)).chain(lists).chain(self.weights.iter_mut().map(ListBuffer::take)).collect()
    }
}

/// The rows of a `selection.parquet`, in order, as an iterator. It ends after the first error.
///
/// # Examples
///
/// ```
/// use sepo_data::{SelectedPair, SelectionMeta, SelectionReader, SelectionWriter};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("selection.parquet");
/// let pair = SelectedPair {
///     row: 3, chosen_ids: vec![5, 6], chosen_weights: vec![0.0, 1.0], ..SelectedPair::default()
/// };
/// let mut writer = SelectionWriter::create(&path, SelectionMeta::default())?;
/// writer.write(&pair)?;
/// writer.finish()?;
///
/// let reader = SelectionReader::open(&path)?;
/// assert_eq!(reader.meta().chosen.n_selected, 1);
/// assert_eq!(reader.collect::<Result<Vec<_>, _>>()?, [pair]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SelectionReader {
    table: TableReader,
    meta: SelectionMeta,
}

impl SelectionReader {
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

    /// How the selection was made.
    #[must_use]
    pub fn meta(&self) -> &SelectionMeta {
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

impl Iterator for SelectionReader {
    type Item = Result<SelectedPair, ArtifactError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.table.next_row(|view| {
            let pair = SelectedPair {
                row: view.u64(ROW)?,
                prompt_ids: view.list::<UInt32Type>(PROMPT_IDS)?,
                chosen_ids: view.list::<UInt32Type>(CHOSEN_IDS)?,
                rejected_ids: view.list::<UInt32Type>(REJECTED_IDS)?,
                chosen_weights: view.list::<Float32Type>(CHOSEN_WEIGHTS)?,
                rejected_weights: view.list::<Float32Type>(REJECTED_WEIGHTS)?,
            };
            check(view.path, view.row, &pair)?;
            Ok(pair)
        })
    }
}

/// Whether weights are finite and as many as ids; `row` is the row in the file.
fn check(path: &Path, row: u64, pair: &SelectedPair) -> Result<(), ArtifactError> {
    let sides = [
        (CHOSEN_WEIGHTS.name, &pair.chosen_ids, &pair.chosen_weights),
        (REJECTED_WEIGHTS.name, &pair.rejected_ids, &pair.rejected_weights),
    ];
    for (column, ids, weights) in sides {
        let (found, expected) = (weights.len(), ids.len());
        if found != expected {
            return Err(ArtifactError::Length { path: path.to_path_buf(), row, column, found, expected });
        }
        if let Some(token) = weights.iter().position(|w| !w.is_finite()) {
            let (path, weight) = (path.to_path_buf(), weights[token]);
            return Err(ArtifactError::NonFiniteWeight { path, row, column, token, weight });
        }
    }
    Ok(())
}
