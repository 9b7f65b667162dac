//! The same order as in memory, made and kept on disk.
//!
//! ```text
//!  for each window of places, from the last one down:
//!      draw the swaps of its places
//!      read the window, and what the swaps reach before it, in ascending order
//!      swap in memory; write both back
//! ```
//!
//! The swaps are those of the order in memory, in the same turn, so the order is the same; only the window is in memory.

use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::examples::PositionedFile;
use crate::permutation::Swaps;

const NUMBER_BYTES: usize = size_of::<u64>();
/// Bytes in memory for each place of a window: its number, its swap, and the place and the number that the swap reaches.
const WINDOW_BYTES: usize = 5 * NUMBER_BYTES;
/// Numbers that are read and written together on the way through places that lie apart.
const BLOCK_NUMBERS: usize = 1024;

/// An order in a nameless file, eight bytes a number.
#[derive(Debug)]
pub(crate) struct OrderFile {
    file: PositionedFile,
    dir: PathBuf,
}

impl OrderFile {
    /// The order of an epoch, in a nameless file in `dir`, made with so many bytes in memory.
    pub(crate) fn draw(
        n: usize,
        seed: u64,
        epoch: u64,
        dir: &Path,
        bytes_in_memory: usize,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut writer = BufWriter::new(tempfile::tempfile_in(dir)?);
        for number in 0..n as u64 {
            writer.write_all(&number.to_le_bytes())?;
        }
        let file = PositionedFile::new(writer.into_inner().map_err(io::IntoInnerError::into_error)?);
        let order = Self { file, dir: dir.to_path_buf() };
        let n_window = (bytes_in_memory / WINDOW_BYTES).max(1);
        let mut swaps = Swaps::new(n, seed, epoch);
        let mut end = n;
        while end > 1 {
            let start = end.saturating_sub(n_window);
            let swaps: Vec<(usize, usize)> = swaps.by_ref().take(end - start.max(1)).collect();
            order.swap(start..end, &swaps)?;
            end = start;
        }
        Ok(order)
    }

    /// The folder it lies in.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn numbers(&self, places: Range<usize>) -> io::Result<Vec<usize>> {
        let number = |number: u64| usize::try_from(number).map_err(io::Error::other);
        self.read(places)?.into_iter().map(number).collect()
    }

    /// Makes the swaps of the places of `window`.
    fn swap(&self, window: Range<usize>, swaps: &[(usize, usize)]) -> io::Result<()> {
        let mut inside = self.read(window.clone())?;
        let mut reached: Vec<usize> =
            swaps.iter().map(|(_, other)| *other).filter(|other| *other < window.start).collect();
        reached.sort_unstable();
        reached.dedup();
        let mut outside = Vec::with_capacity(reached.len());
        self.visit(&reached, |_, block, at| outside.push(block[at]), Access::Read)?;
        for &(last, other) in swaps {
            let last = last - window.start;
            if let Some(other) = other.checked_sub(window.start) {
                inside.swap(last, other);
            } else if let Ok(index) = reached.binary_search(&other) {
                std::mem::swap(&mut inside[last], &mut outside[index]);
            }
        }
        self.visit(&reached, |index, block, at| block[at] = outside[index], Access::Change)?;
        self.write(window.start, &inside)
    }

    /// Calls `see` with the block of each place, ascending; the blocks are written back where they were changed.
    fn visit(
        &self,
        places: &[usize],
        mut see: impl FnMut(usize, &mut [u64], usize),
        access: Access,
    ) -> io::Result<()> {
        let n = usize::try_from(self.file.n_bytes()?).map_err(io::Error::other)? / NUMBER_BYTES;
        let mut index = 0;
        for same_block in places.chunk_by(|a, b| a / BLOCK_NUMBERS == b / BLOCK_NUMBERS) {
            let start = same_block[0] / BLOCK_NUMBERS * BLOCK_NUMBERS;
            let mut block = self.read(start..n.min(start + BLOCK_NUMBERS))?;
            for place in same_block {
                see(index, &mut block, place - start);
                index += 1;
            }
            if access == Access::Change {
                self.write(start, &block)?;
            }
        }
        Ok(())
    }

    fn read(&self, places: Range<usize>) -> io::Result<Vec<u64>> {
        let mut bytes = vec![0; places.len() * NUMBER_BYTES];
        self.file.read_exact_at(&mut bytes, (places.start * NUMBER_BYTES) as u64)?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }

    fn write(&self, start: usize, numbers: &[u64]) -> io::Result<()> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.file.write_all_at(&bytes, (start * NUMBER_BYTES) as u64)
    }
}

/// Whether what was seen is written back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Change,
}
