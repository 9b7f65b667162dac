//! What has been there before, in memory while it is little.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;

use super::dedup::Dedup;
use super::pair_hash::PairHash;
use super::seen_file::SeenFile;
use crate::DataError;

/// Bytes of a slot of the table in memory: a hash, and one byte of the table's own.
const SLOT_BYTES: u64 = 17;

/// A set of hashes.
#[derive(Debug)]
pub(super) struct Seen {
    dedup: Dedup,
    table: Table,
}

#[derive(Debug)]
enum Table {
    Memory(HashSet<u128, BuildHasherDefault<LowBits>>),
    File(SeenFile),
}

impl Seen {
    pub(super) fn new(dedup: Dedup) -> Self {
        Self { dedup, table: Table::Memory(HashSet::default()) }
    }

    /// Adds a hash; whether it is new.
    pub(super) fn insert(&mut self, hash: PairHash) -> Result<bool, DataError> {
        self.try_insert(hash).map_err(|source| DataError::Hashes { dir: self.dedup.dir.clone(), source })
    }

    fn try_insert(&mut self, hash: PairHash) -> io::Result<bool> {
        if let Table::Memory(set) = &self.table
            && set.len() == set.capacity()
            && bytes_to_grow(set.capacity()) > self.dedup.bytes_in_memory
        {
            let mut file = SeenFile::create(&self.dedup.dir, set.len() as u64)?;
            for hash in set {
                file.insert(*hash)?;
            }
            self.table = Table::File(file);
        }
        match &mut self.table {
            Table::Memory(set) => Ok(set.insert(hash.bits())),
            Table::File(file) => file.insert(hash.bits()),
        }
    }
}

/// Bytes of a full table and of the one of twice its size, between which hashes are moved.
fn bytes_to_grow(capacity: usize) -> u64 {
    // Seven of eight slots are used.
    3 * SLOT_BYTES * (capacity as u64 * 8 / 7).max(4)
}

/// Takes the low bits: hashes need not be hashed.
#[derive(Debug, Default, Clone, Copy)]
struct LowBits(u64);

impl Hasher for LowBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..part.len()].copy_from_slice(part);
            self.0 ^= u64::from_le_bytes(padded);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits")]
    fn write_u128(&mut self, bits: u128) {
        self.0 = bits as u64;
    }
}
