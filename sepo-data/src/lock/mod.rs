//! One process at a time: a lock on a folder or a file that nobody has to clean up.
//!
//! The lock is the system's advisory lock on a small hidden file, so it ends with its process, however that ends. What
//! the file says is for people: who holds it. It is removed with the lock; one that a killed process left behind holds
//! nothing and is taken over.

mod holder;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use holder::LockHolder;

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process, or another part of this one, holds it.
    #[error("`{}` is in use by {}", target.display(), holder::described(holder.as_ref()))]
    Held {
        /// What is locked.
        target: PathBuf,
        /// Who holds it, where that could be read.
        holder: Option<LockHolder>,
    },
    /// The lock's file could not be made.
    #[error("`{}` could not be locked", target.display())]
    Io {
        /// What was to be locked.
        target: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A folder or a file that no other holder of a [`Lock`] writes to, until this value is dropped.
///
/// # Examples
///
/// ```
/// use sepo_data::{Lock, LockError};
///
/// let dir = tempfile::tempdir()?;
/// let lock = Lock::folder(dir.path())?;
/// let Err(LockError::Held { holder: Some(holder), .. }) = Lock::folder(dir.path()) else { panic!("locked twice") };
/// assert_eq!(holder.pid, std::process::id());
/// drop(lock);
/// Lock::folder(dir.path())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// `None` where the file system knows no locks.
    file: Option<File>,
}

impl Lock {
    /// The lock on a folder, which must exist: `DIR/.lock`.
    ///
    /// # Errors
    ///
    /// * [`LockError::Held`] names who writes there.
    /// * [`LockError::Io`] where the folder is missing or cannot be written to.
    pub fn folder(dir: impl AsRef<Path>) -> Result<Self, LockError> {
        let dir = dir.as_ref();
        Self::acquire(dir, dir.join(".lock"))
    }

    /// The lock on a file that is to be written, in a folder that must exist: `.NAME.lock` beside it.
    ///
    /// # Errors
    ///
    /// As [`Lock::folder`].
    pub fn file(path: impl AsRef<Path>) -> Result<Self, LockError> {
        let path = path.as_ref();
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let lock = path.with_file_name(format!(".{name}.lock"));
        Self::acquire(path, lock)
    }

    /// Whether others are kept out. Some network file systems know no locks; there nothing is held.
    #[must_use]
    pub fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }

    fn acquire(target: &Path, path: PathBuf) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { target: target.to_path_buf(), source };
        loop {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let file = file.map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let holder = LockHolder::read(&path);
                    return Err(LockError::Held { target: target.to_path_buf(), holder });
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Self { path, file: None });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Its holder may have removed the file after we opened it; then the next one has another file to lock.
            if is_same_file(&file, &path).map_err(failed)? {
                describe(&file);
                return Ok(Self { path, file: Some(file) });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is held, so that no one else's file is removed; elsewhere an open file cannot be.
        if cfg!(unix) && self.file.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Says in the file who holds it. A disk too full for that keeps nobody from holding it.
fn describe(mut file: &File) {
    let _ = file.set_len(0).and_then(|()| file.write_all(LockHolder::this_process().to_json().as_bytes()));
}

#[cfg(unix)]
fn is_same_file(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let ours = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lock files are removed on Unix only.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn is_same_file(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_left_behind_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for left in ["", "{\"pid\": 1", &LockHolder::this_process().to_json()] {
            std::fs::write(dir.path().join(".lock"), left).unwrap();
            assert!(Lock::folder(dir.path()).unwrap().is_exclusive());
            assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "removed with the lock");
        }
    }

    #[test]
    fn a_file_and_its_folder_are_locked_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.parquet");
        let _folder = Lock::folder(dir.path()).unwrap();
        let _file = Lock::file(&path).unwrap();
        let message = Lock::file(&path).unwrap_err().to_string();
        let pid = format!("process {} on ", std::process::id());
        assert!(message.contains("scores.parquet` is in use by ") && message.contains(&pid), "{message}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let Err(LockError::Io { target, source }) = Lock::folder(dir.path().join("absent")) else { panic!() };
        assert!(target.ends_with("absent"));
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn of_many_that_ask_at_once_one_holds_it_at_a_time() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let (inside, entered) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let Ok(lock) = Lock::folder(dir.path()) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        entered.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert!(entered.into_inner() > 0);
    }
}
