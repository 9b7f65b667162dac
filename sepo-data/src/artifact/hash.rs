//! What a file holds, as a name.

use std::fs::File;
use std::path::Path;

use super::ArtifactError;

/// The BLAKE3 hash of a file's bytes, as 64 lower-case hexadecimal digits. The file is streamed.
///
/// # Errors
///
/// * [`ArtifactError::Read`]: the file cannot be opened or read.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("empty");
/// std::fs::write(&path, "")?;
/// assert!(sepo_data::content_hash(&path)?.starts_with("af1349b9f5f9a1a6"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn content_hash(path: impl AsRef<Path>) -> Result<String, ArtifactError> {
    let path = path.as_ref();
    let mut hasher = blake3::Hasher::new();
    File::open(path)
        .and_then(|file| hasher.update_reader(file).map(|_| ()))
        .map_err(|source| ArtifactError::Read { path: path.to_path_buf(), source })?;
    Ok(hasher.finalize().to_hex().to_string())
}
