//! What a file is by its name, and its decompressed bytes.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::DataError;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 17;

/// Bytes that a compressed Parquet or Arrow file may unpack to, whatever its length.
const SPOOLED_BYTES: u64 = 1 << 30;
/// How far it may go beyond that: so many bytes for each byte stored.
const SPOOLED_BLOW_UP: u64 = 200;

/// How rows are stored in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Parquet,
    /// An Arrow IPC file or stream.
    Arrow,
    /// JSON lines or one JSON array.
    Json,
}

/// How the bytes of a file are compressed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// The compression by the last ending of a file name, and the name without that ending.
    pub(super) fn of(name: &str) -> (Self, &str) {
        for (ending, compression) in [(".gz", Self::Gzip), (".zst", Self::Zstd)] {
            if let Some(stem) = name.strip_suffix(ending) {
                return (compression, stem);
            }
        }
        (Self::None, name)
    }
}

/// What a file name says: container, compression, and the name without the endings. `None`: it says nothing.
pub(crate) fn by_name(name: &str) -> Option<(Container, Compression, &str)> {
    let (compression, inner) = Compression::of(name);
    let (stem, ending) = inner.rsplit_once('.')?;
    let container = match ending {
        "parquet" => Container::Parquet,
        "arrow" | "feather" | "ipc" => Container::Arrow,
        "jsonl" | "ndjson" | "json" => Container::Json,
        _ => return None,
    };
    Some((container, compression, stem))
}

/// The container and the compression of `path`.
pub(crate) fn by_path(path: &Path) -> Result<(Container, Compression), DataError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    by_name(name)
        .map(|(container, compression, _)| (container, compression))
        .ok_or_else(|| DataError::UnknownExtension { file: path.to_owned() })
}

/// A stream of the decompressed bytes of `path`. Files of several gzip members or zstd frames are read to the end.
pub(crate) fn open_stream(
    path: &Path,
    compression: Compression,
) -> Result<Box<dyn BufRead + Send>, DataError> {
    let open_error = |source| DataError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open_error)?;
    Ok(match compression {
        Compression::None => Box::new(BufReader::with_capacity(BUFFER_BYTES, file)),
        Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file))),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(file).map_err(open_error)?;
            Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
        }
    })
}

/// A file with the decompressed bytes of `path`, at its start.
///
/// Parquet and Arrow IPC need to seek, so a compressed one is first decompressed to a nameless temporary file.
pub(crate) fn open_seekable(path: &Path, compression: Compression) -> Result<File, DataError> {
    if compression == Compression::None {
        return File::open(path).map_err(|source| DataError::Open { path: path.to_owned(), source });
    }
    let mut stream = open_stream(path, compression)?;
    let n_stored = path.metadata().map_or(0, |metadata| metadata.len());
    let limit = SPOOLED_BYTES.max(n_stored.saturating_mul(SPOOLED_BLOW_UP));
    spool(&mut stream, limit).map_err(|source| DataError::Read { file: path.to_owned(), row: 0, source })
}

fn spool(stream: &mut dyn Read, limit: u64) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    if io::copy(&mut stream.take(limit.saturating_add(1)), &mut file)? > limit {
        let text = format!("it unpacks to more than {limit} bytes; unpack it first, if that is right");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_without_end_does_not_fill_the_disk() {
        assert_eq!(spool(&mut io::repeat(0).take(100), 100).unwrap().metadata().unwrap().len(), 100);
        let error = spool(&mut io::repeat(0), 100).unwrap_err();
        assert_eq!(error.to_string(), "it unpacks to more than 100 bytes; unpack it first, if that is right");
    }
}
