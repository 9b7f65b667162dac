//! Rows of an Arrow IPC file or stream, record batch by record batch.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};

use super::arrow_cell::{BatchRows, wanted};
use super::cell::RawRow;
use super::column::ColumnNames;
use super::container::{Compression, open_seekable};
use super::guard::guarded;
use super::ipc_extent::{check_blocks, n_whole_batches};
use crate::{BadReason, DataError};

/// What an Arrow IPC *file* starts with; anything else is taken for a stream.
const FILE_MAGIC: &[u8; 6] = b"ARROW1";

enum Batches {
    File(Box<FileReader<BufReader<File>>>),
    Stream {
        reader: Box<StreamReader<BufReader<File>>>,
        /// Batches that may still be read before one that is not within the file; `None`: all are.
        n_whole: Option<usize>,
    },
}

impl Batches {
    fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        match self {
            Self::File(reader) => reader.next(),
            Self::Stream { n_whole: Some(0), .. } => {
                Some(Err(ArrowError::IpcError("the next message is not within the file".to_owned())))
            }
            Self::Stream { reader, n_whole } => {
                *n_whole = n_whole.map(|n_whole| n_whole - 1);
                reader.next()
            }
        }
    }
}

/// Reads only the columns that some format reads.
pub(super) struct IpcRows {
    path: PathBuf,
    schema: SchemaRef,
    batches: Batches,
    batch: usize,
    rows: BatchRows,
    n_rows: u64,
}

impl IpcRows {
    /// The rows of the file at `path`.
    pub(super) fn open(
        path: &Path,
        compression: Compression,
        names: &ColumnNames,
    ) -> Result<Self, DataError> {
        let mut file = open_seekable(path, compression)?;
        let is_file = starts_with_magic(&mut file)
            .map_err(|source| DataError::Open { path: path.to_owned(), source })?;
        let (schema, batches) = guarded(path, 0, || open_batches(&file, is_file, names))?
            .map_err(|source| DataError::ArrowHeader { file: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), schema, batches, batch: 0, rows: BatchRows::empty(), n_rows: 0 })
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
            match guarded(&self.path, self.n_rows, || self.batches.next())? {
                None => return Ok(None),
                Some(Ok(batch)) => self.rows = BatchRows::new(&batch, names),
                Some(Err(source)) => {
                    let (file, batch, row) = (self.path.clone(), self.batch, self.n_rows);
                    return Err(DataError::ArrowBatch { file, batch, row, source });
                }
            }
            self.batch += 1;
        }
    }
}

fn open_batches(file: &File, is_file: bool, names: &ColumnNames) -> Result<(SchemaRef, Batches), ArrowError> {
    let open = || Ok::<_, ArrowError>(BufReader::new(file.try_clone()?));
    let rewound = || {
        let mut reader = open()?;
        reader.rewind()?;
        Ok::<_, ArrowError>(reader)
    };
    let n_whole = if is_file { check_blocks(file).map(|()| None) } else { n_whole_batches(file) }?;
    // The first reader is there for the whole schema: a projection hides the other columns.
    if is_file {
        let schema = FileReader::try_new(rewound()?, None)?.schema();
        let reader = FileReader::try_new(rewound()?, Some(wanted(&schema, names)))?;
        Ok((schema, Batches::File(Box::new(reader))))
    } else {
        let schema = StreamReader::try_new(rewound()?, None)?.schema();
        let reader = StreamReader::try_new(rewound()?, Some(wanted(&schema, names)))?;
        Ok((schema, Batches::Stream { reader: Box::new(reader), n_whole }))
    }
}

fn starts_with_magic(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::with_capacity(FILE_MAGIC.len());
    file.by_ref().take(FILE_MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start == FILE_MAGIC)
}
