//! Weight files in memory, page by page as they are read.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// The bytes of the regular file at `path`, whose pages are read when they are looked at and need no copy.
///
/// # Errors
///
/// What the system says, or that it is no regular file.
pub(super) fn map(path: &Path) -> io::Result<Mmap> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    }
    let file = File::open(path)?;
    #[expect(unsafe_code, reason = "a mapped file is the one way to read weights without a copy of them")]
    // SAFETY: the map is read-only and lives while one model is loaded. Weight files are replaced by renaming, which leaves
    // a mapped file as it was; a program that writes into the file itself meanwhile can change the numbers that are
    // read, never a length or an offset, as these are checked in a copy of the header; one that cuts it short ends the
    // process by a signal.
    let map = unsafe { Mmap::map(&file) }?;
    Ok(map)
}
