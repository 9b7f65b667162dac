//! Rows of a Parquet file, row group by row group.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::arrow_cell::{BatchRows, wanted};
use super::cell::RawRow;
use super::column::ColumnNames;
use super::container::{Compression, open_seekable};
use super::guard::guarded;
use crate::DataError;

/// Rows decoded at a time: a few hundred long pairs, some megabytes.
const BATCH_ROWS: usize = 256;

/// Reads only the columns that some format reads, and one batch of them at a time.
pub(super) struct ParquetRows {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    projection: ProjectionMask,
    /// The row group that `batches` reads, or the one to read first.
    row_group: usize,
    batches: Option<ParquetRecordBatchReader>,
    rows: BatchRows,
    n_rows: u64,
}

impl ParquetRows {
    /// The rows of the file at `path`.
    pub(super) fn open(
        path: &Path,
        compression: Compression,
        names: &ColumnNames,
    ) -> Result<Self, DataError> {
        let file = open_seekable(path, compression)?;
        let metadata = guarded(path, 0, || ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))?
            .map_err(|source| DataError::ParquetFooter { file: path.to_owned(), source })?;
        let wanted = wanted(metadata.schema(), names);
        let projection = ProjectionMask::roots(metadata.parquet_schema(), wanted);
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
            projection,
            row_group: 0,
            batches: None,
            rows: BatchRows::empty(),
            n_rows: 0,
        })
    }

    /// Names of all columns of the file.
    pub(super) fn column_names(&self) -> Vec<String> {
        self.metadata.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The next row, or `None` at the end.
    pub(super) fn next_row(&mut self, names: &ColumnNames) -> Result<Option<RawRow>, DataError> {
        loop {
            if let Some(row) = self.rows.next() {
                self.n_rows += 1;
                return Ok(Some(row));
            }
            if self.row_group == self.metadata.metadata().num_row_groups() {
                return Ok(None);
            }
            let path = self.path.clone();
            let n_rows = self.n_rows;
            match guarded(&path, n_rows, || self.next_batch(names))? {
                Ok(Some(rows)) => self.rows = rows,
                Ok(None) => {
                    self.batches = None;
                    self.row_group += 1;
                }
                Err(source) => {
                    return Err(DataError::ParquetPage {
                        file: path,
                        row_group: self.row_group,
                        row: n_rows,
                        source,
                    });
                }
            }
        }
    }

    /// The next batch of the current row group.
    fn next_batch(&mut self, names: &ColumnNames) -> Result<Option<BatchRows>, arrow::error::ArrowError> {
        if self.batches.is_none() {
            self.batches = Some(self.open_row_group()?);
        }
        let Some(batches) = &mut self.batches else { return Ok(None) };
        Ok(batches.next().transpose()?.map(|batch| BatchRows::new(&batch, names)))
    }

    fn open_row_group(&self) -> Result<ParquetRecordBatchReader, ParquetError> {
        let file = self.file.try_clone().map_err(|error| ParquetError::External(Box::new(error)))?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_projection(self.projection.clone())
            .with_row_groups(vec![self.row_group])
            .with_batch_size(BATCH_ROWS)
            .build()
    }
}
