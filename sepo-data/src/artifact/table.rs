//! A Parquet file with a `sepo` metadata object, written and read as a stream.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::column::{Column, RowView};
use super::{ArtifactError, AtomicFile, META_KEY};

/// Rows decoded at a time.
const READ_ROWS: usize = 256;

/// A file under construction; dropped, it leaves nothing.
#[derive(Debug)]
pub(super) struct TableWriter {
    writer: ArrowWriter<AtomicFile>,
    path: PathBuf,
    schema: SchemaRef,
}

impl TableWriter {
    /// `noisy` names list columns of floats without repeats: splitting their bytes into streams lets the compressor see
    /// the exponents, where a dictionary would only cost time.
    pub(super) fn create(path: &Path, columns: &[Column], noisy: &[Column]) -> Result<Self, ArtifactError> {
        let schema = super::column::schema(columns);
        let path = path.to_path_buf();
        let file = AtomicFile::create(&path)
            .map_err(|source| ArtifactError::Write { path: path.clone(), source })?;
        let mut properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
        for column in noisy {
            let leaf = ColumnPath::new([column.name, "list", "element"].map(String::from).to_vec());
            properties = properties
                .set_column_dictionary_enabled(leaf.clone(), false)
                .set_column_encoding(leaf, Encoding::BYTE_STREAM_SPLIT);
        }
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties.build()))
            .map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        Ok(Self { writer, path, schema })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one row group; no columns of rows make none.
    pub(super) fn write_group(
        &mut self,
        columns: Result<Vec<ArrayRef>, ArrowError>,
    ) -> Result<(), ArtifactError> {
        columns
            .and_then(|columns| RecordBatch::try_new(self.schema.clone(), columns))
            .map_err(ParquetError::from)
            .and_then(|batch| if batch.num_rows() == 0 { Ok(()) } else { self.writer.write(&batch) })
            .and_then(|()| self.writer.flush())
            .map_err(|source| ArtifactError::Encode { path: self.path.clone(), source })
    }

    /// Adds the metadata and puts the file under its final name.
    pub(super) fn finish(mut self, meta: &impl Serialize) -> Result<(), ArtifactError> {
        let path = self.path;
        let json = match serde_json::to_string(meta) {
            Ok(json) => json,
            Err(source) => return Err(ArtifactError::Meta { path, source }),
        };
        self.writer.append_key_value_metadata(KeyValue::new(META_KEY.to_owned(), json));
        match self.writer.into_inner() {
            Ok(file) => file.commit().map_err(|source| ArtifactError::Write { path, source }),
            Err(source) => Err(ArtifactError::Encode { path, source }),
        }
    }
}

/// An open file whose schema has been checked.
pub(super) struct TableReader {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    in_batch: usize,
    next_row: u64,
    n_rows: u64,
    is_done: bool,
}

impl TableReader {
    pub(super) fn open<M: DeserializeOwned>(
        path: &Path,
        columns: &[Column],
    ) -> Result<(Self, M), ArtifactError> {
        let path = path.to_path_buf();
        let file = File::open(&path).map_err(|source| ArtifactError::Read { path: path.clone(), source })?;
        let n_bytes =
            file.metadata().map_err(|source| ArtifactError::Read { path: path.clone(), source })?.len();
        // Types come from the Parquet schema alone, so that another writer's hints (large lists, dictionaries) do
        // not get in the way.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder =
            guarded(&path, || ParquetRecordBatchReaderBuilder::try_new_with_options(file, options))?;
        if !is_within(builder.metadata(), n_bytes) {
            return Err(ArtifactError::Damaged { path });
        }
        let indices =
            columns.iter().map(|c| c.check(&path, builder.schema())).collect::<Result<Vec<_>, _>>()?;
        let metadata = builder.metadata().file_metadata();
        let entries = metadata.key_value_metadata().into_iter().flatten();
        let json = entries.filter(|entry| entry.key == META_KEY).find_map(|entry| entry.value.as_deref());
        let json = json.ok_or_else(|| ArtifactError::MissingMeta { path: path.clone() })?;
        let meta = serde_json::from_str(json)
            .map_err(|source| ArtifactError::Meta { path: path.clone(), source })?;
        let n_rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let mask = ProjectionMask::roots(builder.parquet_schema(), indices);
        let batches = guarded(&path, || builder.with_projection(mask).with_batch_size(READ_ROWS).build())?;
        let reader = Self { path, batches, batch: None, in_batch: 0, next_row: 0, n_rows, is_done: false };
        Ok((reader, meta))
    }

    pub(super) fn n_rows(&self) -> u64 {
        self.n_rows
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next row, decoded by `decode`; after an error nothing more.
    pub(super) fn next_row<R>(
        &mut self,
        decode: impl FnOnce(RowView<'_>) -> Result<R, ArtifactError>,
    ) -> Option<Result<R, ArtifactError>> {
        if self.is_done {
            return None;
        }
        let decoded = self.advance().map(|has_row| match &self.batch {
            Some(batch) if has_row => {
                Some(decode(RowView { path: &self.path, batch, in_batch: self.in_batch, row: self.next_row }))
            }
            _ => None,
        });
        self.in_batch += 1;
        self.next_row += 1;
        let row = decoded.unwrap_or_else(|e| Some(Err(e)));
        self.is_done = !matches!(row, Some(Ok(_)));
        row
    }

    /// Loads the next batch where the current one is used up; whether there is a row.
    fn advance(&mut self) -> Result<bool, ArtifactError> {
        while self.batch.as_ref().is_none_or(|batch| self.in_batch >= batch.num_rows()) {
            let batches = &mut self.batches;
            let batch = guarded(&self.path, || batches.next().transpose().map_err(ParquetError::from))?;
            let Some(batch) = batch else { return Ok(false) };
            self.batch = Some(batch);
            self.in_batch = 0;
        }
        Ok(true)
    }
}

/// What `decode` gives. The decoder panics on some damaged files; a file is no reason to stop the program, so such a
/// panic is an error too. The decoder is not used again afterwards.
fn guarded<R>(path: &Path, decode: impl FnOnce() -> Result<R, ParquetError>) -> Result<R, ArtifactError> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|source| ArtifactError::Parquet { path: path.to_path_buf(), source }),
        Err(_) => Err(ArtifactError::Damaged { path: path.to_path_buf() }),
    }
}

/// Whether every column chunk that the footer names lies within the file. Without this a damaged footer can ask for
/// any amount of memory.
fn is_within(metadata: &ParquetMetaData, n_bytes: u64) -> bool {
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    chunks.into_iter().all(|chunk| {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        match (u64::try_from(start), u64::try_from(chunk.compressed_size())) {
            (Ok(start), Ok(length)) => start.checked_add(length).is_some_and(|end| end <= n_bytes),
            _ => false,
        }
    })
}
