//! Files that are complete or absent.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How the name of a temporary file ends.
const SUFFIX: &str = ".tmp";
/// Characters of a temporary name that are drawn.
const RANDOM_CHARACTERS: usize = 6;

/// A file that appears under its name only when it is complete.
///
/// Bytes go to a temporary file in the same folder (`.NAME.….tmp`). [`commit`](Self::commit) brings them to the disk
/// and renames; dropping the value without it removes them. A process that is killed leaves at most the temporary
/// file, which goes when the same name is written next; whatever stood under the final name before stays until the commit.
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
        remove_abandoned(parent(&target), &prefix);
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM_CHARACTERS);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The temporary file would be private to its owner; the final one should obey the umask like any other.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        loop {
            let file = builder.tempfile_in(parent(&target))?;
            // Where the file system knows no locks, nothing is ever taken for abandoned.
            let _ = file.as_file().try_lock();
            // Before the lock was held, another writer of the same name may have taken it for abandoned.
            if file.path().try_exists()? {
                return Ok(Self { file, target });
            }
        }
    }

    /// Puts `bytes` under the name `path`: the whole of them or, where this fails, what stood there before.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create) and [`commit`](Self::commit).
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let path = dir.path().join("numbers.txt");
    /// sepo_data::AtomicFile::replace(&path, "1 2 3")?;
    /// assert_eq!(std::fs::read(&path)?, b"1 2 3");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn replace(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let mut file = Self::create(path)?;
        file.write_all(bytes.as_ref())?;
        file.commit()
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

/// Removes what killed writers of the same name have left: the system has let go of their locks. What cannot be looked at
/// or removed stays; it is in nobody's way.
fn remove_abandoned(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix)?.strip_suffix(SUFFIX));
        let is_ours = random.is_some_and(|random| {
            random.len() == RANDOM_CHARACTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        if is_ours && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_writer_left_is_removed_and_what_a_living_one_writes_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers");
        let abandoned = dir.path().join(".numbers.AbC123.tmp");
        let others =
            [".numbers.other.tmp", ".number.AbC123.tmp", ".numbers.AbC123"].map(|name| dir.path().join(name));
        for path in others.iter().chain([&abandoned]) {
            std::fs::write(path, "").unwrap();
        }
        let living = AtomicFile::create(&path).unwrap();
        let beside = AtomicFile::create(&path).unwrap();
        assert!(!abandoned.exists());
        assert!(others.iter().all(|other| other.exists()));
        living.commit().unwrap();
        beside.commit().unwrap();
        assert!(path.exists());
    }
}
