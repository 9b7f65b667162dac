//! Files that are read as a whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a template or of a configuration.
pub(crate) const MAX_CONFIG_BYTES: u64 = 16 << 20;
/// Most bytes of a `tokenizer.json`; those with the largest vocabularies have some dozens of megabytes.
pub(crate) const MAX_TOKENIZER_BYTES: u64 = 256 << 20;

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
