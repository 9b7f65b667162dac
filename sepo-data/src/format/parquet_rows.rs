//! Rows of a Parquet file, row group by row group.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ArrowReaderOptions;

use super::arrow_cell::{BatchRows, wanted};
use super::cell::RawRow;
use super::column::ColumnNames;
use super::container::{Compression, open_seekable};
use super::guard::guarded;
use crate::table::{Table, TableError, TableRows};
use crate::{BadReason, DataError};

/// Reads only the columns that some format reads, and one batch of them at a time.
pub(super) struct ParquetRows {
    path: PathBuf,
    schema: SchemaRef,
    table: TableRows,
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
        let opened = guarded(path, 0, || {
            let table = Table::open(file, ArrowReaderOptions::new())?;
            let schema = table.schema().clone();
            let wanted = wanted(&schema, names);
            Ok((schema, table.rows(wanted)?))
        })?;
        let (schema, table) = opened.map_err(|error| match error {
            TableError::Parquet(source) => DataError::ParquetFooter { file: path.to_owned(), source },
            TableError::Fault(source) => DataError::ParquetBounds { file: path.to_owned(), row: 0, source },
        })?;
        Ok(Self { path: path.to_owned(), schema, table, rows: BatchRows::empty(), n_rows: 0 })
    }

    /// Names of all columns of the file.
    pub(super) fn column_names(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The next row, or `None` at the end.
    pub(super) fn next_row(
        &mut self,
        names: &ColumnNames,
    ) -> Result<Option<Result<RawRow, BadReason>>, DataError> {
        loop {
            if let Some(row) = self.rows.next() {
                self.n_rows += 1;
                return Ok(Some(row));
            }
            match guarded(&self.path, self.n_rows, || self.table.next_batch())? {
                Ok(None) => return Ok(None),
                Ok(Some(batch)) => self.rows = BatchRows::new(&batch, names),
                Err(error) => return Err(self.failed(error)),
            }
        }
    }

    fn failed(&self, error: TableError) -> DataError {
        let (file, row, row_group) = (self.path.clone(), self.n_rows, self.table.row_group());
        match error {
            TableError::Parquet(source) => {
                DataError::ParquetPage { file, row_group, row, source: source.into() }
            }
            TableError::Fault(source) => DataError::ParquetBounds { file, row, source },
        }
    }
}
