//! The footer, looked at before it is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::compact::{Stop, Walk, Watcher};
use super::layout::{FILE_META_DATA, N_CHILDREN, SCHEMA};
use super::{MAX_NESTING, TableFault};

/// Length of the footer's length and the magic behind it.
const TRAILER_BYTES: usize = 8;

/// Checks that the footer's lists are no longer than the footer, and that the schema is not too deep for the stack.
///
/// A file without a whole footer passes: the reader says what is wrong with it.
pub(super) fn check_footer(file: &File, n_bytes: u64) -> io::Result<Result<(), TableFault>> {
    Ok(match footer_bytes(file, n_bytes)? {
        Some(footer) => check(&footer),
        None => Ok(()),
    })
}

fn footer_bytes(mut file: &File, n_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut trailer = [0; TRAILER_BYTES];
    let Some(end) = n_bytes.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut trailer)?;
    let [a, b, c, d, magic @ ..] = trailer;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = end.checked_sub(length).filter(|_| magic == *b"PAR1") else { return Ok(None) };
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer)?;
    Ok(Some(footer))
}

fn check(footer: &[u8]) -> Result<(), TableFault> {
    let mut walk = Walk::new(footer, Depth::default());
    match walk.structure(FILE_META_DATA) {
        Err(Stop::Ends | Stop::Malformed) => Err(TableFault::Footer { at: walk.at, n_bytes: footer.len() }),
        Ok(()) if walk.watcher.deepest > MAX_NESTING => {
            Err(TableFault::Nesting { depth: walk.watcher.deepest, limit: MAX_NESTING })
        }
        Ok(()) => Ok(()),
    }
}

/// How deep the schema nests. It is a list of all elements, each followed by its children.
#[derive(Default)]
struct Depth {
    /// Children that are still to come, from the root inwards.
    open: Vec<i64>,
    n_children: i64,
    deepest: usize,
}

impl Watcher for Depth {
    fn number(&mut self, path: &[i16], value: i64) {
        if *path == [SCHEMA, N_CHILDREN] {
            self.n_children = value;
        }
    }

    fn leave(&mut self, path: &[i16]) {
        if *path != [SCHEMA] {
            return;
        }
        if let Some(siblings) = self.open.last_mut() {
            *siblings -= 1;
        }
        let n_children = std::mem::take(&mut self.n_children);
        if n_children > 0 {
            self.open.push(n_children);
            self.deepest = self.deepest.max(self.open.len());
        }
        while self.open.last().is_some_and(|left| *left <= 0) {
            self.open.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FileMetaData` with this schema: a group in a group, `depth` times, and a number in it.
    fn nested(depth: u8) -> Vec<u8> {
        let mut footer = vec![0x29, 0xfc, depth + 1];
        for _ in 0..depth {
            footer.extend([0x55, 2, 0]);
        }
        footer.extend([0x15, 2, 0, 0]);
        footer
    }

    #[test]
    fn depth_is_counted() {
        assert_eq!(check(&nested(32)), Ok(()));
        assert_eq!(check(&nested(33)), Err(TableFault::Nesting { depth: 33, limit: 32 }));
    }

    #[test]
    fn a_list_longer_than_the_footer_is_refused() {
        // Two to the thirtieth row groups.
        let footer = [0x49, 0xfc, 0x80, 0x80, 0x80, 0x80, 0x04, 0, 0];
        assert_eq!(check(&footer), Err(TableFault::Footer { at: 7, n_bytes: 9 }));
    }

    #[test]
    fn a_known_field_of_another_kind_is_refused() {
        // The version as a structure, in which the reader would see a number and go on behind it.
        assert!(check(&[0x1c, 0, 0]).is_err());
        assert_eq!(check(&[0x15, 2, 0]), Ok(()));
    }

    #[test]
    fn structures_that_nest_without_end_are_refused() {
        assert!(check(&[0xfc; 4000]).is_err());
        assert!(check(&[0xf9; 4000]).is_err());
    }
}
