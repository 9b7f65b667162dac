//! Pairs back into files.

use std::borrow::{Borrow, Cow};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use serde::Serialize;

use super::container::{Compression, Container, by_name};
use super::content::content_format;
use super::pair_format::PairFormat;
use super::write_parquet::ParquetSink;
use crate::{AtomicFile, DataError, Message, PairContent};

/// Writes pairs one after the other to a temporary file, which [`PairWriter::finish`] moves to its place. Dropped
/// before that, it leaves nothing behind and what stood there untouched.
///
/// All pairs of a file have the same content, which decides the format ([`content_format`]): text becomes
/// [`PairFormat::Explicit`], conversations [`PairFormat::Conversational`] with a `prompt`, ids
/// [`PairFormat::Tokenized`].
pub struct PairWriter {
    path: PathBuf,
    format: Option<PairFormat>,
    n_pairs: u64,
    sink: Sink,
}

enum Sink {
    Json(Box<JsonSink>),
    Parquet(ParquetSink),
}

impl PairWriter {
    /// A writer for `path`, whose name ends in `.parquet`, `.jsonl`, `.jsonl.gz` or `.jsonl.zst`.
    ///
    /// # Errors
    ///
    /// * [`DataError::UnwritableExtension`]: the name ends otherwise.
    /// * [`DataError::Write`]: no temporary file can be made beside `path`.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match by_name(name) {
            Some((Container::Parquet, Compression::None, _)) => Self::parquet(path),
            Some((Container::Json, ..)) if !Compression::of(name).1.ends_with(".json") => Self::jsonl(path),
            _ => Err(DataError::UnwritableExtension { file: path.to_owned() }),
        }
    }

    fn jsonl(path: &Path) -> Result<Self, DataError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let sink = atomic_file(path).and_then(|file| JsonSink::new(file, Compression::of(name).0));
        Ok(Self::with_sink(path, Sink::Json(Box::new(sink.map_err(|source| write_error(path, source))?))))
    }

    fn parquet(path: &Path) -> Result<Self, DataError> {
        let file = atomic_file(path).map_err(|source| write_error(path, source))?;
        Ok(Self::with_sink(path, Sink::Parquet(ParquetSink::new(file))))
    }

    fn with_sink(path: &Path, sink: Sink) -> Self {
        Self { path: path.to_owned(), format: None, n_pairs: 0, sink }
    }

    /// Adds a pair.
    ///
    /// # Errors
    ///
    /// * [`DataError::MixedContent`]: its content is of another kind than the first pair's.
    /// * [`DataError::Write`], [`DataError::WriteParquet`]: the temporary file cannot be written.
    pub fn write(&mut self, pair: &PairContent) -> Result<(), DataError> {
        let found = content_format(pair);
        let first = *self.format.get_or_insert(found);
        if first != found {
            return Err(DataError::MixedContent { file: self.path.clone(), first, found });
        }
        self.n_pairs += 1;
        let pair = &*unambiguous(pair);
        match &mut self.sink {
            Sink::Json(sink) => sink.write(pair).map_err(|source| write_error(&self.path, source)),
            Sink::Parquet(sink) => {
                sink.write(pair).map_err(|source| DataError::WriteParquet { file: self.path.clone(), source })
            }
        }
    }

    /// The number of pairs written, once the file stands complete under its name.
    ///
    /// # Errors
    ///
    /// [`DataError::Write`] or [`DataError::WriteParquet`]: what was left cannot be written, or the file not renamed.
    pub fn finish(self) -> Result<u64, DataError> {
        let file = match self.sink {
            Sink::Json(sink) => sink.finish().map_err(|source| write_error(&self.path, source))?,
            Sink::Parquet(sink) => {
                sink.finish().map_err(|source| DataError::WriteParquet { file: self.path.clone(), source })?
            }
        };
        file.commit().map_err(|source| write_error(&self.path, source))?;
        Ok(self.n_pairs)
    }
}

/// The number of pairs written to `path`, in the container that its name says (as [`PairWriter::create`]).
///
/// # Errors
///
/// As [`PairWriter`]; what stood at `path` is then untouched.
///
/// # Examples
///
/// ```
/// use sepo_data::format::write_pairs;
/// use sepo_data::{PairContent, ReadConfig, open_pairs};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("ids.parquet");
/// let pair = PairContent::Tokens { prompt_ids: vec![1], chosen_ids: vec![2, 3], rejected_ids: vec![4] };
///
/// assert_eq!(write_pairs(&path, [&pair])?, 1);
/// assert_eq!(open_pairs(&[path.display().to_string()], &ReadConfig::default())?.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_pairs<P: Borrow<PairContent>>(
    path: &Path,
    pairs: impl IntoIterator<Item = P>,
) -> Result<u64, DataError> {
    write_all(PairWriter::create(path)?, pairs)
}

/// The number of pairs written to `path` as JSON lines, compressed if the name ends in `.gz` or `.zst`.
///
/// # Errors
///
/// As [`PairWriter`]; what stood at `path` is then untouched.
pub fn write_pairs_jsonl<P: Borrow<PairContent>>(
    path: &Path,
    pairs: impl IntoIterator<Item = P>,
) -> Result<u64, DataError> {
    write_all(PairWriter::jsonl(path)?, pairs)
}

/// The number of pairs written to `path` as Parquet.
///
/// # Errors
///
/// As [`PairWriter`]; what stood at `path` is then untouched.
pub fn write_pairs_parquet<P: Borrow<PairContent>>(
    path: &Path,
    pairs: impl IntoIterator<Item = P>,
) -> Result<u64, DataError> {
    write_all(PairWriter::parquet(path)?, pairs)
}

fn write_all<P: Borrow<PairContent>>(
    mut writer: PairWriter,
    pairs: impl IntoIterator<Item = P>,
) -> Result<u64, DataError> {
    for pair in pairs {
        writer.write(pair.borrow())?;
    }
    writer.finish()
}

/// The pair so that it is read as it is. Readers take a prompt off responses that repeat it, so where both begin with the
/// prompt's own messages, it is put before them once more.
fn unambiguous(pair: &PairContent) -> Cow<'_, PairContent> {
    match pair {
        PairContent::Chat { prompt, chosen, rejected }
            if !prompt.is_empty() && chosen.starts_with(prompt) && rejected.starts_with(prompt) =>
        {
            let (chosen, rejected) = ([&prompt[..], chosen].concat(), [&prompt[..], rejected].concat());
            Cow::Owned(PairContent::Chat { prompt: prompt.clone(), chosen, rejected })
        }
        _ => Cow::Borrowed(pair),
    }
}

fn write_error(path: &Path, source: io::Error) -> DataError {
    DataError::Write { file: path.to_owned(), source }
}

/// A file that will stand at `path`, in a folder that is made if need be.
fn atomic_file(path: &Path) -> io::Result<AtomicFile> {
    if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
        fs::create_dir_all(folder)?;
    }
    AtomicFile::create(path)
}

enum JsonSink {
    Plain(BufWriter<AtomicFile>),
    Gzip(GzEncoder<BufWriter<AtomicFile>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<AtomicFile>>),
}

/// A row of each format that is written, with its columns in order.
#[derive(Serialize)]
#[serde(untagged)]
enum JsonRow<'a> {
    Text { prompt: &'a str, chosen: &'a str, rejected: &'a str },
    Chat { prompt: &'a [Message], chosen: &'a [Message], rejected: &'a [Message] },
    Tokens { prompt_ids: &'a [u32], chosen_ids: &'a [u32], rejected_ids: &'a [u32] },
}

impl JsonSink {
    fn new(file: AtomicFile, compression: Compression) -> io::Result<Self> {
        let file = BufWriter::new(file);
        Ok(match compression {
            Compression::None => Self::Plain(file),
            Compression::Gzip => Self::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::stream::write::Encoder::new(file, 0)?),
        })
    }

    fn write(&mut self, pair: &PairContent) -> io::Result<()> {
        let row = match pair {
            PairContent::Text { prompt, chosen, rejected } => JsonRow::Text { prompt, chosen, rejected },
            PairContent::Chat { prompt, chosen, rejected } => JsonRow::Chat { prompt, chosen, rejected },
            PairContent::Tokens { prompt_ids, chosen_ids, rejected_ids } => {
                JsonRow::Tokens { prompt_ids, chosen_ids, rejected_ids }
            }
        };
        let writer: &mut dyn Write = match self {
            Self::Plain(writer) => writer,
            Self::Gzip(writer) => writer,
            Self::Zstd(writer) => writer,
        };
        serde_json::to_writer(&mut *writer, &row)?;
        writer.write_all(b"\n")
    }

    fn finish(self) -> io::Result<AtomicFile> {
        let writer = match self {
            Self::Plain(writer) => writer,
            Self::Gzip(writer) => writer.finish()?,
            Self::Zstd(writer) => writer.finish()?,
        };
        writer.into_inner().map_err(io::IntoInnerError::into_error)
    }
}
