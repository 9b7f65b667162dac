//! A set of hashes in a file: a table with open addressing.
//!
//! ```text
//!  slot of a hash = its highest bits; where that is taken, the next one that is free
//! ```
//!
//! Hashes stand in ascending order but for what collisions moved, so a table of twice the size is made by one pass over both
//! files. One block of slots is in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HASH_BYTES: u64 = 16;
/// Slots that are read and written together.
const BLOCK_LEN: usize = 256;
const BLOCK_SLOTS: u64 = BLOCK_LEN as u64;
/// Bits of the number of slots of the smallest table: one block.
const LEAST_BITS: u32 = BLOCK_SLOTS.ilog2();

/// 2^`bits` slots of 128 bits, of which at most three quarters are used; 0 is a free slot.
#[derive(Debug)]
pub(super) struct SeenFile {
    dir: PathBuf,
    file: File,
    bits: u32,
    n_used: u64,
    /// The hash 0, which no slot can hold.
    has_zero: bool,
    block: Block,
}

/// The block in memory.
#[derive(Debug)]
struct Block {
    number: u64,
    slots: Vec<u128>,
    is_changed: bool,
}

impl SeenFile {
    /// An empty set in a nameless file in `dir`, with room for about three times `n_expected` hashes.
    pub(super) fn create(dir: &Path, n_expected: u64) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let bits = n_expected.saturating_mul(2).max(1).ilog2() + 1;
        Self::with_bits(dir, bits.max(LEAST_BITS))
    }

    fn with_bits(dir: &Path, bits: u32) -> io::Result<Self> {
        let file = tempfile::tempfile_in(dir)?;
        // A file of holes, which read as zeros.
        file.set_len((1_u64 << bits).checked_mul(HASH_BYTES).ok_or(io::ErrorKind::FileTooLarge)?)?;
        let block = Block { number: 0, slots: vec![0; BLOCK_LEN], is_changed: false };
        Ok(Self { dir: dir.to_owned(), file, bits, n_used: 0, has_zero: false, block })
    }

    /// Adds a hash; whether it is new.
    pub(super) fn insert(&mut self, hash: u128) -> io::Result<bool> {
        if hash == 0 {
            return Ok(!std::mem::replace(&mut self.has_zero, true));
        }
        if self.n_used >= (1 << self.bits) / 4 * 3 {
            self.grow()?;
        }
        let is_new = self.insert_into_slot(hash)?;
        self.n_used += u64::from(is_new);
        Ok(is_new)
    }

    fn insert_into_slot(&mut self, hash: u128) -> io::Result<bool> {
        #[expect(clippy::cast_possible_truncation, reason = "fewer than 64 bits are left")]
        let mut slot = (hash >> (u128::BITS - self.bits)) as u64;
        // It ends: a quarter of the slots is free.
        loop {
            let found = self.slot(slot)?;
            if *found == hash {
                return Ok(false);
            }
            if *found == 0 {
                *found = hash;
                self.block.is_changed = true;
                return Ok(true);
            }
            slot = (slot + 1) % (1 << self.bits);
        }
    }

    /// The slot, in memory.
    fn slot(&mut self, slot: u64) -> io::Result<&mut u128> {
        let number = slot / BLOCK_SLOTS;
        if number != self.block.number {
            self.write_back()?;
            self.block.number = number;
            let mut bytes = vec![0; self.block.slots.len() * size_of::<u128>()];
            self.file.seek(SeekFrom::Start(number * BLOCK_SLOTS * HASH_BYTES))?;
            self.file.read_exact(&mut bytes)?;
            for (slot, bytes) in self.block.slots.iter_mut().zip(bytes.as_chunks().0) {
                *slot = u128::from_le_bytes(*bytes);
            }
        }
        let within = usize::try_from(slot % BLOCK_SLOTS).map_err(io::Error::other)?;
        Ok(&mut self.block.slots[within])
    }

    fn write_back(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.block.is_changed) {
            return Ok(());
        }
        let bytes: Vec<u8> = self.block.slots.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        self.file.seek(SeekFrom::Start(self.block.number * BLOCK_SLOTS * HASH_BYTES))?;
        self.file.write_all(&bytes)
    }

    fn grow(&mut self) -> io::Result<()> {
        let mut larger = Self::with_bits(&self.dir, self.bits + 1)?;
        for slot in 0..1 << self.bits {
            let hash = *self.slot(slot)?;
            if hash != 0 {
                larger.insert_into_slot(hash)?;
            }
        }
        larger.n_used = self.n_used;
        larger.has_zero = self.has_zero;
        *self = larger;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn holds_what_a_set_holds_while_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = SeenFile::create(dir.path(), 0).unwrap();
        let mut set = BTreeSet::new();
        for i in 0..20_000_u64 {
            // Every third comes again.
            let number = if i % 3 == 2 { i / 2 } else { i };
            let bytes = blake3::hash(&number.to_le_bytes());
            let hash = u128::from_le_bytes(bytes.as_bytes()[..16].try_into().unwrap());
            assert_eq!(file.insert(hash).unwrap(), set.insert(hash), "{i}");
        }
        assert_eq!(file.n_used, set.len() as u64);
        assert!(file.bits > LEAST_BITS);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "the file has no name");
    }

    proptest! {
        #[test]
        fn hashes_that_collide_or_lie_at_the_end_are_found(highs in prop::collection::vec(0_u8..3, 0..600)) {
            let dir = tempfile::tempdir().unwrap();
            let mut file = SeenFile::create(dir.path(), 0).unwrap();
            let mut set = BTreeSet::new();
            for (i, high) in highs.into_iter().enumerate() {
                let high = [0, 0x80, u128::from(u8::MAX)][usize::from(high)];
                let hash = (high << 120) | (i as u128 / 2);
                prop_assert_eq!(file.insert(hash).unwrap(), set.insert(hash));
            }
        }
    }
}
