//! Examples on disk, read one at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::damage::RecordDamage;
use super::footer::Footer;
use super::positioned::PositionedFile;
use super::record::decode;
use crate::{TrainError, TrainExample};

/// Examples on disk: any of them by its number, none of them in memory.
///
/// Made by an [`ExampleWriter`](crate::ExampleWriter). Every record carries a content hash, which is compared each time it
/// is read. Threads may read at once; a clone is the same file.
#[derive(Debug, Clone)]
pub struct ExampleFile {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: PositionedFile,
    path: PathBuf,
    footer: Footer,
}

impl ExampleFile {
    /// The examples of a file that was written whole.
    ///
    /// # Errors
    ///
    /// * [`TrainError::Io`] where the file cannot be read.
    /// * [`TrainError::DamagedExamples`] where it is no such file, or its size or its end are not what was written.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let file = File::open(path).map_err(TrainError::io(path))?;
        Self::of(file, path)
    }

    /// The same of an open file; `path` is what errors name.
    pub(super) fn of(file: File, path: &Path) -> Result<Self, TrainError> {
        let file = PositionedFile::new(file);
        let footer = Footer::read(&file, path)?;
        Ok(Self { inner: Arc::new(Inner { file, path: path.to_owned(), footer }) })
    }

    /// Examples in the file.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.inner.footer.n_records).unwrap_or(usize::MAX)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the file.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] where the system does not tell.
    pub fn n_bytes(&self) -> Result<u64, TrainError> {
        self.inner.file.n_bytes().map_err(TrainError::io(&self.inner.path))
    }

    /// The example of that number, from 0.
    ///
    /// # Errors
    ///
    /// * [`TrainError::Io`] where the file cannot be read.
    /// * [`TrainError::DamagedExamples`] names the record where it is not what was written.
    ///
    /// # Panics
    ///
    /// Where `number` is not below [`ExampleFile::len`].
    pub fn get(&self, number: usize) -> Result<TrainExample, TrainError> {
        let Inner { file, path, footer } = &*self.inner;
        assert!(number < self.len(), "example {number} of {}", self.len());
        let number = number as u64;
        let damaged =
            |damage| TrainError::DamagedExamples { path: path.clone(), record: Some(number), damage };
        let mut places = [0; 16];
        file.read_exact_at(&mut places, footer.records_end + 8 * number).map_err(TrainError::io(path))?;
        let place = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (start, end) = (place(&places), place(&places[8..]));
        if !footer.is_place(start, end) {
            return Err(damaged(RecordDamage::Place));
        }
        let n_bytes = usize::try_from(end - start).map_err(|_| damaged(RecordDamage::Place))?;
        let mut bytes = vec![0; n_bytes];
        file.read_exact_at(&mut bytes, start).map_err(TrainError::io(path))?;
        let example = decode(number, &bytes).map_err(damaged)?;
        // A file may come from anywhere, with hashes that fit.
        example.check_lists()?;
        Ok(example)
    }

    pub(super) fn data_hash(&self) -> [u8; 32] {
        self.inner.footer.data_hash
    }

    /// Row of the first example without reference log-probs.
    pub(super) fn without_reference(&self) -> Option<u64> {
        self.inner.footer.without_reference
    }

    /// What errors name.
    pub(crate) fn path(&self) -> &Path {
        &self.inner.path
    }
}
