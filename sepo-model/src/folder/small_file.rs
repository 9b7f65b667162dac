//! JSON files of a model folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::ModelError;

/// Most bytes of a JSON file: an index of a hundred thousand tensors has a tenth of it.
const MAX_JSON_BYTES: u64 = 64 << 20;

/// What the JSON file at `path` holds.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    let bytes = read_at_most(path, MAX_JSON_BYTES)
        .map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| ModelError::Json { path: path.to_owned(), source })
}

/// The bytes of the regular file at `path`, of which there are at most `limit`.
///
/// # Errors
///
/// What the system says; that it is no regular file, such as a pipe, which might never end; or that it is larger.
pub(crate) fn read_at_most(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let refuse = |text: String| Err(io::Error::new(io::ErrorKind::InvalidData, text));
    if !std::fs::metadata(path)?.is_file() {
        return refuse("it is no regular file".to_owned());
    }
    let mut bytes = Vec::new();
    // A file may grow while it is read, so its length says nothing.
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return refuse(format!("it has more than {limit} bytes, which no such file has"));
    }
    Ok(bytes)
}
