//! The start and the end of a file of examples.
//!
//! ```text
//!  magic 12 | version u32 | records … | places (n + 1) × u64 | footer
//! ```

use super::damage::RecordDamage;
use super::positioned::PositionedFile;
use super::record::SHORTEST_RECORD;
use crate::TrainError;
use std::path::Path;

const MAGIC: &[u8; 12] = b"sepo-example";
const VERSION: u32 = 1;
const HEADER: usize = MAGIC.len() + 4;
/// Where records begin.
pub(super) const HEADER_BYTES: u64 = HEADER as u64;
const CONTENT: usize = 4 * 8 + 32;
const FOOTER: usize = CONTENT + 32;
/// Stands for no row.
const NO_ROW: u64 = u64::MAX;

/// What is known of all records together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) n_records: u64,
    /// Where records end, and the list of their places begins.
    pub(super) records_end: u64,
    /// Bytes of the longest record: nothing longer is ever read.
    pub(super) longest_record: u64,
    /// Row of the first example without reference log-probs.
    pub(super) without_reference: Option<u64>,
    /// Over all examples in their order.
    pub(super) data_hash: [u8; 32],
}

pub(super) fn header() -> Vec<u8> {
    [&MAGIC[..], &VERSION.to_le_bytes()].concat()
}

impl Footer {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let numbers =
            [self.n_records, self.records_end, self.longest_record, self.without_reference.unwrap_or(NO_ROW)];
        let mut bytes: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        bytes.extend(self.data_hash);
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        bytes
    }

    /// The footer of an open file, whose start and size fit it.
    pub(super) fn read(file: &PositionedFile, path: &Path) -> Result<Self, TrainError> {
        let damaged = |damage| TrainError::DamagedExamples { path: path.to_owned(), record: None, damage };
        let n_bytes = file.n_bytes().map_err(TrainError::io(path))?;
        let size = damaged(RecordDamage::Size { n_bytes });
        if n_bytes < HEADER_BYTES {
            return Err(damaged(RecordDamage::NotExamples));
        }
        let mut start = [0; HEADER];
        file.read_exact_at(&mut start, 0).map_err(TrainError::io(path))?;
        let (magic, version) = start.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(damaged(RecordDamage::NotExamples));
        }
        let found = version.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if found != VERSION {
            return Err(damaged(RecordDamage::Version { found, expected: VERSION }));
        }
        let Some(footer_start) = n_bytes.checked_sub(FOOTER as u64).filter(|at| *at >= HEADER_BYTES) else {
            return Err(size);
        };
        let mut bytes = [0; FOOTER];
        file.read_exact_at(&mut bytes, footer_start).map_err(TrainError::io(path))?;
        let footer = Self::from_bytes(&bytes).ok_or_else(|| damaged(RecordDamage::Footer))?;
        if footer.places_end() == Some(footer_start) { Ok(footer) } else { Err(size) }
    }

    fn from_bytes(bytes: &[u8; FOOTER]) -> Option<Self> {
        let (content, hash) = bytes.split_at(CONTENT);
        if blake3::hash(content).as_bytes() != hash {
            return None;
        }
        let (numbers, data_hash) = content.split_at(4 * 8);
        let number = |index: usize| numbers.as_chunks::<8>().0.get(index).map(|n| u64::from_le_bytes(*n));
        Some(Self {
            n_records: number(0)?,
            records_end: number(1)?,
            longest_record: number(2)?,
            without_reference: number(3).filter(|row| *row != NO_ROW),
            data_hash: data_hash.try_into().ok()?,
        })
    }

    /// Where the list of places ends; `None` where no file is that long.
    fn places_end(&self) -> Option<u64> {
        let n_places = self.n_records.checked_add(1)?;
        self.records_end.checked_add(n_places.checked_mul(8)?)
    }

    /// Whether a record may lie there.
    pub(super) fn is_place(&self, start: u64, end: u64) -> bool {
        start >= HEADER_BYTES
            && end <= self.records_end
            && end
                .checked_sub(start)
                .is_some_and(|length| (SHORTEST_RECORD..=self.longest_record).contains(&length))
    }
}
