//! Examples onto the disk, one after the other.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use sepo_data::AtomicFile;

use super::data_hash::DataHasher;
use super::file::ExampleFile;
use super::footer::{Footer, HEADER_BYTES, header};
use super::record::encode;
use crate::{TrainError, TrainExample};

/// Bytes that wait to be written together.
const BUFFER_BYTES: usize = 1 << 18;

/// An [`ExampleFile`] under construction. Memory does not grow with the examples: their places wait in a second, nameless
/// file.
///
/// # Examples
///
/// ```
/// use sepo_train::{ExampleFile, ExampleWriter, TrainExample};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("pairs.examples");
/// let mut writer = ExampleWriter::create(&path)?;
/// writer.write(&TrainExample::pair(7, vec![1, 2], vec![3], vec![4, 5]))?;
/// writer.finish()?;
/// assert_eq!(ExampleFile::open(&path)?.get(0)?.rejected_ids, [4, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ExampleWriter {
    records: BufWriter<Target>,
    places: BufWriter<File>,
    path: PathBuf,
    hasher: DataHasher,
    footer: Footer,
    /// Of one record, kept for its allocation.
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Target {
    /// Appears under its name when it is complete.
    Named(AtomicFile),
    /// Has no name, and is gone with the last handle to it, however the process ends.
    Scratch(File),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Named(file) => file.write(bytes),
            Self::Scratch(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Named(file) => file.flush(),
            Self::Scratch(file) => file.flush(),
        }
    }
}

impl ExampleWriter {
    /// A file that appears at `path` with [`ExampleWriter::finish`], brought to the disk and complete.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] where no file can be made in its folder, which must exist.
    pub fn create(path: &Path) -> Result<Self, TrainError> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = AtomicFile::create(path).map_err(TrainError::io(path))?;
        Self::new(Target::Named(file), path, dir)
    }

    /// A file in `dir` that has no name: its room is free again once it is used no more, even where the process is killed.
    /// Errors name the folder.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] where no file can be made in `dir`, which must exist.
    pub fn scratch(dir: &Path) -> Result<Self, TrainError> {
        let file = tempfile::tempfile_in(dir).map_err(TrainError::io(dir))?;
        Self::new(Target::Scratch(file), dir, dir)
    }

    fn new(target: Target, path: &Path, dir: &Path) -> Result<Self, TrainError> {
        let places = tempfile::tempfile_in(dir).map_err(TrainError::io(dir))?;
        let mut writer = Self {
            records: BufWriter::with_capacity(BUFFER_BYTES, target),
            places: BufWriter::new(places),
            path: path.to_owned(),
            hasher: DataHasher::default(),
            footer: Footer {
                n_records: 0,
                records_end: HEADER_BYTES,
                longest_record: 0,
                without_reference: None,
                data_hash: [0; 32],
            },
            bytes: Vec::new(),
        };
        writer.records.write_all(&header()).map_err(TrainError::io(path))?;
        writer.note_place()?;
        Ok(writer)
    }

    /// Adds an example.
    ///
    /// # Errors
    ///
    /// * [`TrainError::Length`], [`TrainError::NotFinite`], [`TrainError::WeightWithoutPrompt`] where its lists do not fit
    ///   each other. Nothing is added.
    /// * [`TrainError::Io`] where the file cannot be written.
    pub fn write(&mut self, example: &TrainExample) -> Result<(), TrainError> {
        example.check_lists()?;
        encode(self.footer.n_records, example, &mut self.bytes);
        self.records.write_all(&self.bytes).map_err(TrainError::io(&self.path))?;
        let n_bytes = self.bytes.len() as u64;
        self.footer.n_records += 1;
        self.footer.records_end += n_bytes;
        self.footer.longest_record = self.footer.longest_record.max(n_bytes);
        if example.reference.is_none() {
            self.footer.without_reference.get_or_insert(example.row);
        }
        self.hasher.add(example);
        self.note_place()
    }

    /// The file, complete.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] where it cannot be written to its end or be put under its name; what stood there stays.
    pub fn finish(self) -> Result<ExampleFile, TrainError> {
        let Self { mut records, places, path, hasher, mut footer, .. } = self;
        footer.data_hash = hasher.finish();
        let written = places
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|mut places| {
                places.rewind()?;
                io::copy(&mut BufReader::new(places), &mut records)?;
                records.write_all(&footer.to_bytes())?;
                records.into_inner().map_err(io::IntoInnerError::into_error)
            })
            .map_err(TrainError::io(&path))?;
        match written {
            Target::Scratch(file) => ExampleFile::of(file, &path),
            Target::Named(file) => {
                file.commit().map_err(TrainError::io(&path))?;
                ExampleFile::open(&path)
            }
        }
    }

    /// Where the next record begins, and the one before it ends.
    fn note_place(&mut self) -> Result<(), TrainError> {
        let place = self.footer.records_end.to_le_bytes();
        self.places.write_all(&place).map_err(TrainError::io(&self.path))
    }
}
