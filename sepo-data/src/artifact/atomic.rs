//! Files that are complete or absent.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that appears under its name only when it is complete.
///
/// Bytes go to a temporary file in the same folder (`.NAME.….tmp`). [`commit`](Self::commit) brings them to the disk
/// and renames; dropping the value without it removes them. A process that is killed leaves at most the temporary
/// file; whatever stood under the final name before stays until the commit.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// # let dir = tempfile::tempdir()?;
/// let path = dir.path().join("numbers.txt");
/// let mut file = sepo_data::AtomicFile::create(&path)?;
/// file.write_all(b"1 2 3")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"1 2 3");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    target: PathBuf,
}

impl AtomicFile {
    /// An empty temporary file beside `path`. The folder must exist.
    ///
    /// # Errors
    ///
    /// * `path` has no file name (kind [`InvalidInput`](io::ErrorKind::InvalidInput)).
    /// * The temporary file cannot be created in the folder.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let target = path.as_ref().to_path_buf();
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let prefix = format!(".{}.", name.to_string_lossy());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The temporary file would be private to its owner; the final one should obey the umask like any other.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(parent(&target))?;
        Ok(Self { file, target })
    }

    /// The name that the file gets when it is committed.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Puts the bytes on the disk and the file under its final name, replacing what was there.
    ///
    /// # Errors
    ///
    /// Flushing, syncing or renaming failed; the temporary file is then removed. Where only the folder's own sync
    /// failed, the file is in place but may not survive a loss of power.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target).map_err(|e| e.error)?;
        // Without this, a loss of power can undo the rename. Only Unix lets folders be opened for it.
        if cfg!(unix) {
            File::open(parent(&self.target))?.sync_all()?;
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
