//! An artifact, written as a stream.

use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::buffer::{ColumnBuffer, is_row_group};
use super::checksum::{CHECKSUM_KEY, Checksum};
use super::column::{Column, schema};
use super::row::ArtifactRow;
use super::view::Place;
use super::{ArtifactError, AtomicFile, META_KEY};

/// An artifact under construction.
///
/// It appears under its name with [`finish`](Self::finish); dropped before, it leaves nothing.
#[derive(Debug)]
pub struct ArtifactWriter<R: ArtifactRow> {
    writer: ArrowWriter<AtomicFile>,
    path: PathBuf,
    schema: SchemaRef,
    meta: R::Meta,
    buffers: Vec<ColumnBuffer>,
    checksum: Checksum,
    n_rows: u64,
    rows_in_group: usize,
    bytes_in_group: usize,
}

impl<R: ArtifactRow> ArtifactWriter<R> {
    /// An empty file with the given metadata, in which what the writer counts is set to 0.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Write`]: the file cannot be created; its folder must exist.
    pub fn create(path: impl AsRef<Path>, mut meta: R::Meta) -> Result<Self, ArtifactError> {
        const { assert!(R::HOLDS_ALL, "a part of the columns makes no file") }
        let path = path.as_ref().to_path_buf();
        let file = AtomicFile::create(&path)
            .map_err(|source| ArtifactError::Write { path: path.clone(), source })?;
        let schema = schema(R::COLUMNS);
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties(R::COLUMNS)))
            .map_err(|source| ArtifactError::Encode { path: path.clone(), source })?;
        R::clear_counts(&mut meta);
        let buffers = R::COLUMNS.iter().copied().map(ColumnBuffer::new).collect();
        let (checksum, n_rows, rows_in_group, bytes_in_group) = Default::default();
        Ok(Self { writer, path, schema, meta, buffers, checksum, n_rows, rows_in_group, bytes_in_group })
    }

    /// The metadata as it will be written; what becomes known on the way can be set until the file is finished.
    pub fn meta_mut(&mut self) -> &mut R::Meta {
        &mut self.meta
    }

    /// Adds one pair.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Length`]: a list is not as long as its side's ids. Nothing is added.
    /// * [`ArtifactError::NonFiniteWeight`]: a weight is infinite or not a number. Nothing is added.
    /// * [`ArtifactError::TooLong`], [`ArtifactError::Encode`]: the file cannot go on.
    pub fn write(&mut self, pair: &R) -> Result<(), ArtifactError> {
        pair.check(Place { path: &self.path, row: self.n_rows })?;
        let values = pair.values();
        debug_assert_eq!(values.len(), self.buffers.len());
        for ((buffer, column), value) in self.buffers.iter_mut().zip(R::COLUMNS).zip(&values) {
            buffer.push(*value).ok_or_else(|| ArtifactError::TooLong {
                path: self.path.clone(),
                row: self.n_rows,
                column: column.name,
            })?;
        }
        pair.count(&mut self.meta);
        self.n_rows += 1;
        self.rows_in_group += 1;
        self.bytes_in_group += self.checksum.add(&values);
        if is_row_group(self.rows_in_group, self.bytes_in_group) { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left, the metadata and the checksum of all values, and puts the file under its final name.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Encode`], [`ArtifactError::Meta`], [`ArtifactError::Write`]: nothing is left under the
    ///   final name that was not there before.
    pub fn finish(mut self) -> Result<R::Meta, ArtifactError> {
        self.write_group()?;
        let Self { mut writer, path, meta, checksum, .. } = self;
        let json = match serde_json::to_string(&meta) {
            Ok(json) => json,
            Err(source) => return Err(ArtifactError::Meta { path, source }),
        };
        for (key, value) in [(META_KEY, json), (CHECKSUM_KEY, checksum.hex())] {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        match writer.into_inner().map(AtomicFile::commit) {
            Ok(Ok(())) => Ok(meta),
            Ok(Err(source)) => Err(ArtifactError::Write { path, source }),
            Err(source) => Err(ArtifactError::Encode { path, source }),
        }
    }

    /// Writes the buffered rows as one row group; no rows make none.
    fn write_group(&mut self) -> Result<(), ArtifactError> {
        (self.rows_in_group, self.bytes_in_group) = (0, 0);
        let columns: Result<Vec<ArrayRef>, ArrowError> =
            self.buffers.iter_mut().map(ColumnBuffer::take).collect();
        columns
            .and_then(|columns| RecordBatch::try_new(self.schema.clone(), columns))
            .map_err(ParquetError::from)
            .and_then(|batch| if batch.num_rows() == 0 { Ok(()) } else { self.writer.write(&batch) })
            .and_then(|()| self.writer.flush())
            .map_err(|source| ArtifactError::Encode { path: self.path.clone(), source })
    }
}

fn properties(columns: &[Column]) -> WriterProperties {
    let mut properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
    for column in columns.iter().filter(|column| column.is_noisy) {
        let leaf = ColumnPath::new([column.name, "list", "element"].map(String::from).to_vec());
        properties = properties
            .set_column_dictionary_enabled(leaf.clone(), false)
            .set_column_encoding(leaf, Encoding::BYTE_STREAM_SPLIT);
    }
    properties.build()
}
