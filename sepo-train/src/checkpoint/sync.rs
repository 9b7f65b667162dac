//! What was written, on the disk.

use std::fs::{File, OpenOptions};
use std::path::Path;

use crate::TrainError;

/// Waits until a file's bytes are there.
pub(super) fn sync_file(path: &Path) -> Result<(), TrainError> {
    let file = OpenOptions::new().write(true).open(path);
    file.and_then(|file| file.sync_all()).map_err(TrainError::io(path))
}

/// Makes names in a folder lasting. Only Unix can open a folder as a file; elsewhere the system is trusted.
pub(crate) fn sync_folder(path: &Path) -> Result<(), TrainError> {
    if cfg!(unix) {
        File::open(path).and_then(|folder| folder.sync_all()).map_err(TrainError::io(path))?;
    }
    Ok(())
}
