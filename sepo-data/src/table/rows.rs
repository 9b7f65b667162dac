//! Record batches of a Parquet file, row group by row group.

use std::fs::File;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::TableFault;
use super::footer::check_footer;
use super::group::{Found, Group, take};
use super::page::Chunk;

/// Rows decoded at a time, at most. With the limit of a row's values this bounds what a batch of lists can take.
const BATCH_ROWS: u64 = 32;
/// Bytes that a batch of texts may take: each may be as long as the largest page, and repeat what is stored once.
const BATCH_BYTES: u64 = 256 << 20;

/// Why a file cannot be read.
#[derive(Debug)]
pub(crate) enum TableError {
    Fault(TableFault),
    Parquet(ParquetError),
}

impl From<TableFault> for TableError {
    fn from(fault: TableFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ParquetError> for TableError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

/// An open Parquet file whose footer has been checked.
pub(crate) struct Table {
    file: Arc<File>,
    n_bytes: u64,
    metadata: ArrowReaderMetadata,
}

impl Table {
    /// The Parquet file `file`.
    pub(crate) fn open(file: File, options: ArrowReaderOptions) -> Result<Self, TableError> {
        let failed = |error| TableError::Parquet(ParquetError::External(Box::new(error)));
        let n_bytes = file.metadata().map_err(failed)?.len();
        check_footer(&file, n_bytes).map_err(failed)??;
        let metadata = ArrowReaderMetadata::load(&file, options)?;
        let claimed = metadata.metadata().file_metadata().num_rows();
        let found = metadata.metadata().row_groups().iter().map(|group| i128::from(group.num_rows())).sum();
        if i128::from(claimed) != found || metadata.metadata().row_groups().iter().any(|g| g.num_rows() < 0) {
            return Err(TableFault::RowCount { claimed, found }.into());
        }
        Ok(Self { file: Arc::new(file), n_bytes, metadata })
    }

    /// The Arrow schema of the whole file.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// What the footer says.
    pub(crate) fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }

    /// The rows, with the top-level columns at `columns` only.
    pub(crate) fn rows(self, columns: Vec<usize>) -> Result<TableRows, TableError> {
        let parquet_schema = self.metadata.parquet_schema();
        let mask = ProjectionMask::roots(parquet_schema, columns);
        let mut leaves: Vec<usize> =
            (0..parquet_schema.num_columns()).filter(|&leaf| mask.leaf_included(leaf)).collect();
        if leaves.is_empty() {
            // Some column must show that there are as many rows as the footer claims.
            leaves.extend((parquet_schema.num_columns() > 0).then_some(0));
        }
        let hint = Some(self.metadata.schema().fields());
        let levels = parquet_to_arrow_field_levels(parquet_schema, mask, hint)?;
        Ok(TableRows { table: self, levels, leaves, row_group: 0, batches: None, found: Found::default() })
    }
}

/// The rows of a file, some at a time.
pub(crate) struct TableRows {
    table: Table,
    levels: FieldLevels,
    /// Columns of the Parquet schema that are read.
    leaves: Vec<usize>,
    row_group: usize,
    /// Of the row group.
    batches: Option<ParquetRecordBatchReader>,
    found: Found,
}

impl TableRows {
    /// The row group that is read, from 0.
    pub(crate) fn row_group(&self) -> usize {
        self.row_group
    }

    /// The next batch, or `None` behind the last.
    pub(crate) fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        while self.row_group < self.table.metadata().num_row_groups() {
            if self.batches.is_none() {
                self.batches = Some(self.open_row_group()?);
            }
            let batch = self.batches.as_mut().and_then(Iterator::next).transpose();
            match batch.map_err(|error| match take(&self.found) {
                Some(fault) => TableError::Fault(fault),
                None => TableError::Parquet(error.into()),
            })? {
                Some(batch) => return Ok(Some(batch)),
                None => {
                    self.batches = None;
                    self.row_group += 1;
                }
            }
        }
        Ok(None)
    }

    fn open_row_group(&self) -> Result<ParquetRecordBatchReader, TableError> {
        let n_rows = BATCH_ROWS.min(BATCH_BYTES / self.check_pages()?.max(1)).max(1);
        let group = Group {
            file: Arc::clone(&self.table.file),
            metadata: Arc::clone(self.table.metadata()),
            index: self.row_group,
            found: Arc::clone(&self.found),
        };
        let n_rows = usize::try_from(n_rows).unwrap_or(1);
        Ok(ParquetRecordBatchReader::try_new_with_row_groups(&self.levels, &group, n_rows, None)?)
    }

    /// Bytes of the largest page of the row group, all of whose pages are within bounds.
    fn check_pages(&self) -> Result<u64, TableError> {
        let row_group = self.table.metadata().row_group(self.row_group);
        let mut largest = 0;
        if row_group.num_rows() > 0 && self.leaves.is_empty() {
            let (claimed, found) = (row_group.num_rows(), 0);
            return Err(TableFault::RowCount { claimed, found }.into());
        }
        for &leaf in &self.leaves {
            let metadata = row_group.column(leaf);
            let chunk = Chunk {
                file: &self.table.file,
                n_bytes: self.table.n_bytes,
                row_group: self.row_group,
                metadata,
            };
            let pages = chunk.pages()?;
            if pages.n_values < row_group.num_rows().unsigned_abs() {
                return Err(TableFault::Values {
                    column: metadata.column_path().string(),
                    row_group: self.row_group,
                    n_rows: row_group.num_rows(),
                    n_values: pages.n_values,
                }
                .into());
            }
            largest = largest.max(pages.largest);
        }
        Ok(largest)
    }
}
