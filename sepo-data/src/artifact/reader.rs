//! An artifact, read as a stream.

use std::fs::File;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::metadata::FileMetaData;

use super::checksum::{CHECKSUM_KEY, Checksum};
use super::row::ArtifactRow;
use super::view::{Place, RowView};
use super::{ArtifactError, META_KEY};
use crate::table::{Table, TableError, TableRows};

/// The rows of an artifact, in order, as an iterator. It ends after the first error.
///
/// The rows are compared with the checksum that the file's writer left in it. They stream, so a mismatch is known only
/// at the end: then [`ArtifactError::Checksum`] stands in place of the last row. A file without a checksum, as other
/// programs write it, is read without; so is one of whose columns only a part is read.
pub struct ArtifactReader<R: ArtifactRow> {
    path: PathBuf,
    meta: R::Meta,
    batches: TableRows,
    batch: Option<RecordBatch>,
    in_batch: usize,
    next_row: u64,
    n_rows: u64,
    is_done: bool,
    /// What the file promises, and what the rows so far amount to.
    checksum: Option<(String, Checksum)>,
    rows: PhantomData<fn() -> R>,
}

impl<R: ArtifactRow> ArtifactReader<R> {
    /// An open file, its schema and metadata checked.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Read`], [`ArtifactError::Parquet`]: not a readable Parquet file.
    /// * [`ArtifactError::Bounds`], [`ArtifactError::Damaged`]: its footer claims what is not so.
    /// * [`ArtifactError::MissingColumn`], [`ArtifactError::ColumnType`]: another schema.
    /// * [`ArtifactError::MissingMeta`], [`ArtifactError::Meta`]: no usable `sepo` metadata.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ArtifactError> {
        let path = path.as_ref().to_path_buf();
        let file = File::open(&path).map_err(|source| ArtifactError::Read { path: path.clone(), source })?;
        // Types come from the Parquet schema alone, so that another writer's hints (large lists, dictionaries) do
        // not get in the way.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let table = guarded(&path, || Table::open(file, options))?;
        let indices =
            R::COLUMNS.iter().map(|c| c.check(&path, table.schema())).collect::<Result<Vec<_>, _>>()?;
        let metadata = table.metadata().file_metadata();
        let json =
            value_of(metadata, META_KEY).ok_or_else(|| ArtifactError::MissingMeta { path: path.clone() })?;
        let meta = serde_json::from_str(json)
            .map_err(|source| ArtifactError::Meta { path: path.clone(), source })?;
        // The checksum is one of all values.
        let promised = value_of(metadata, CHECKSUM_KEY).filter(|_| R::HOLDS_ALL);
        let checksum = promised.map(|hex| (hex.to_owned(), Checksum::default()));
        let n_rows = u64::try_from(metadata.num_rows()).unwrap_or(0);
        let batches = guarded(&path, || table.rows(indices))?;
        let (batch, in_batch, next_row, is_done, rows) = Default::default();
        Ok(Self { path, meta, batches, batch, in_batch, next_row, n_rows, is_done, checksum, rows })
    }

    /// What the file says about its origin.
    #[must_use]
    pub fn meta(&self) -> &R::Meta {
        &self.meta
    }

    /// Rows in the file.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next row, or `None` behind the last.
    fn read_row(&mut self) -> Result<Option<R>, ArtifactError> {
        self.load_batch()?;
        let Some(batch) = &self.batch else {
            // Again, since there may be no rows at all, or other rows than the footer promises.
            self.check_values()?;
            return Ok(None);
        };
        let place = Place { path: &self.path, row: self.next_row };
        let row = R::decode(&RowView { place, batch, in_batch: self.in_batch })?;
        row.check(place)?;
        self.in_batch += 1;
        self.next_row += 1;
        if let Some((_, checksum)) = &mut self.checksum {
            checksum.add(&row.values());
        }
        // With the last row, not behind it: who takes as many rows as there are would not ask once more.
        if self.next_row == self.n_rows {
            self.check_values()?;
        }
        Ok(Some(row))
    }

    /// Puts a batch with a row left in place, or `None` behind the last.
    fn load_batch(&mut self) -> Result<(), ArtifactError> {
        while self.batch.as_ref().is_none_or(|batch| self.in_batch >= batch.num_rows()) {
            let batches = &mut self.batches;
            self.batch = guarded(&self.path, || batches.next_batch())?;
            self.in_batch = 0;
            if self.batch.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn check_values(&self) -> Result<(), ArtifactError> {
        let Some((expected, checksum)) = &self.checksum else { return Ok(()) };
        let found = checksum.hex();
        if found == *expected {
            return Ok(());
        }
        Err(ArtifactError::Checksum { path: self.path.clone(), expected: expected.clone(), found })
    }
}

impl<R: ArtifactRow> Iterator for ArtifactReader<R> {
    type Item = Result<R, ArtifactError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let row = self.read_row().transpose();
        self.is_done = !matches!(row, Some(Ok(_)));
        row
    }
}

/// What the key-value metadata holds under `key`.
fn value_of<'a>(metadata: &'a FileMetaData, key: &str) -> Option<&'a str> {
    let entries = metadata.key_value_metadata().into_iter().flatten();
    entries.filter(|entry| entry.key == key).find_map(|entry| entry.value.as_deref())
}

/// What `decode` gives. The decoder panics on some damaged files; a file is no reason to stop the program, so such a
/// panic is an error too. The decoder is not used again afterwards.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T, TableError>) -> Result<T, ArtifactError> {
    let path = || path.to_path_buf();
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(TableError::Parquet(source))) => Err(ArtifactError::Parquet { path: path(), source }),
        Ok(Err(TableError::Fault(source))) => Err(ArtifactError::Bounds { path: path(), source }),
        Err(_) => Err(ArtifactError::Damaged { path: path() }),
    }
}
