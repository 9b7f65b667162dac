//! One example as bytes.
//!
//! ```text
//!  row u64 | which lists there are u8 | n_prompt n_chosen n_rejected u64 | nominals 2 × f64
//!  | prompt ids | chosen ids | rejected ids | chosen weights? | rejected weights? | reference log-probs? | hash 16
//! ```
//!
//! All numbers are little-endian. The hash is the start of a blake3 hash over the record's number and what stands
//! before it, so a record in the place of another is noticed too.

use super::damage::RecordDamage;
use crate::{ReferenceLogps, TrainExample};

const CHOSEN_WEIGHTS: u8 = 1;
const REJECTED_WEIGHTS: u8 = 2;
const REFERENCE: u8 = 4;
const HASH_BYTES: usize = 16;
/// Bytes of a record whose lists are empty.
pub(super) const SHORTEST_RECORD: u64 = 8 + 1 + 3 * 8 + 2 * 8 + HASH_BYTES as u64;

/// Replaces `bytes` by the record of an example whose lists fit each other.
pub(super) fn encode(number: u64, example: &TrainExample, bytes: &mut Vec<u8>) {
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    bytes.clear();
    bytes.extend(example.row.to_le_bytes());
    bytes.push(
        flag(example.chosen_weights.is_some(), CHOSEN_WEIGHTS)
            | flag(example.rejected_weights.is_some(), REJECTED_WEIGHTS)
            | flag(example.reference.is_some(), REFERENCE),
    );
    let ids = [&example.prompt_ids, &example.chosen_ids, &example.rejected_ids];
    for list in ids {
        bytes.extend((list.len() as u64).to_le_bytes());
    }
    for nominal in [example.chosen_nominal, example.rejected_nominal] {
        bytes.extend(nominal.to_le_bytes());
    }
    for list in ids {
        bytes.extend(list.iter().flat_map(|id| id.to_le_bytes()));
    }
    let reference = example.reference.as_ref();
    let lists = [
        example.chosen_weights.as_ref(),
        example.rejected_weights.as_ref(),
        reference.map(|reference| &reference.chosen),
        reference.map(|reference| &reference.rejected),
    ];
    for list in lists.into_iter().flatten() {
        bytes.extend(list.iter().flat_map(|value| value.to_le_bytes()));
    }
    let hash = hash(number, bytes);
    bytes.extend(hash);
}

/// The example of record `number`.
pub(super) fn decode(number: u64, bytes: &[u8]) -> Result<TrainExample, RecordDamage> {
    let (content, expected) = bytes.split_last_chunk::<HASH_BYTES>().ok_or(RecordDamage::Layout)?;
    if hash(number, content) != *expected {
        return Err(RecordDamage::Hash);
    }
    let mut rest = Rest(content);
    let row = rest.u64()?;
    let [flags] = rest.chunk()?;
    let lengths = [rest.u64()?, rest.u64()?, rest.u64()?];
    let nominals = [rest.chunk().map(f64::from_le_bytes)?, rest.chunk().map(f64::from_le_bytes)?];
    let [prompt_ids, chosen_ids, rejected_ids] =
        [rest.list(lengths[0])?, rest.list(lengths[1])?, rest.list(lengths[2])?];
    let mut floats = |flag: u8, length: u64| match flags & flag {
        0 => Ok(None),
        _ => rest.list(length).map(|bits| Some(bits.into_iter().map(f32::from_bits).collect::<Vec<f32>>())),
    };
    let chosen_weights = floats(CHOSEN_WEIGHTS, lengths[1])?;
    let rejected_weights = floats(REJECTED_WEIGHTS, lengths[2])?;
    let reference = floats(REFERENCE, lengths[1])?
        .zip(floats(REFERENCE, lengths[2])?)
        .map(|(chosen, rejected)| ReferenceLogps { chosen, rejected });
    if !rest.0.is_empty() {
        return Err(RecordDamage::Layout);
    }
    Ok(TrainExample {
        row,
        prompt_ids,
        chosen_ids,
        rejected_ids,
        chosen_weights,
        rejected_weights,
        reference,
        chosen_nominal: nominals[0],
        rejected_nominal: nominals[1],
    })
}

fn hash(number: u64, content: &[u8]) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(content);
    let mut start = [0; HASH_BYTES];
    start.copy_from_slice(&hasher.finalize().as_bytes()[..HASH_BYTES]);
    start
}

/// What of a record has not been read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], RecordDamage> {
        let (chunk, rest) = self.0.split_first_chunk::<N>().ok_or(RecordDamage::Layout)?;
        self.0 = rest;
        Ok(*chunk)
    }

    fn u64(&mut self) -> Result<u64, RecordDamage> {
        self.chunk().map(u64::from_le_bytes)
    }

    /// So many four-byte numbers; no more is allocated than the record holds.
    fn list(&mut self, length: u64) -> Result<Vec<u32>, RecordDamage> {
        let n_bytes = usize::try_from(length).ok().and_then(|length| length.checked_mul(4));
        let (list, rest) = n_bytes.and_then(|n| self.0.split_at_checked(n)).ok_or(RecordDamage::Layout)?;
        self.0 = rest;
        Ok(list.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> TrainExample {
        TrainExample {
            chosen_weights: Some(vec![0.5, -0.0]),
            reference: Some(ReferenceLogps { chosen: vec![-1.0, -2.0], rejected: vec![-3.0] }),
            rejected_nominal: 0.3,
            ..TrainExample::pair(7, vec![1, 2, 3], vec![4, u32::MAX], vec![6])
        }
    }

    #[test]
    fn an_example_comes_back_and_any_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        let empty = TrainExample::default();
        encode(0, &empty, &mut bytes);
        assert_eq!((bytes.len() as u64, decode(0, &bytes).unwrap()), (SHORTEST_RECORD, empty));
        encode(3, &example(), &mut bytes);
        assert_eq!(decode(3, &bytes).unwrap(), example());
        assert_eq!(decode(4, &bytes), Err(RecordDamage::Hash));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(3, &damaged), Err(RecordDamage::Hash), "bit {bit}");
        }
    }

    #[test]
    fn lengths_that_lie_allocate_nothing() {
        let mut bytes = Vec::new();
        for (at, value) in [(9, u64::MAX), (17, u64::MAX / 4), (25, 3), (9, 0)] {
            encode(0, &example(), &mut bytes);
            bytes.truncate(bytes.len() - HASH_BYTES);
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let hash = hash(0, &bytes);
            bytes.extend(hash);
            assert_eq!(decode(0, &bytes), Err(RecordDamage::Layout), "{at}: {value}");
        }
        assert_eq!(decode(0, &[]), Err(RecordDamage::Layout));
    }
}
