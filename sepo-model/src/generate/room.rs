//! Where the tokens of sequences that grow lie in one buffer.

use sepo_kernels::Segments;

use crate::ModelError;
use crate::batch::{BatchContext, SequenceBatch};

/// Room that a sequence gets beyond what it has seen, at least.
const LEAST_FREE: usize = 64;

/// Sequences one after the other, each with free places behind it.
#[derive(Debug)]
pub(super) struct Room {
    /// Places, free ones included.
    segments: Segments,
    /// Tokens that each sequence has seen.
    lengths: Vec<usize>,
}

impl Room {
    /// Room for sequences of these lengths, and for some tokens more.
    pub(super) fn new(lengths: Vec<usize>) -> Result<Self, ModelError> {
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length + LEAST_FREE.max(length / 2);
            Some(*end)
        });
        let offsets = std::iter::once(0).chain(ends).collect();
        Ok(Self { segments: Segments::new(offsets, vec![None; lengths.len()])?, lengths })
    }

    /// Room for as many tokens as were seen, and for more than there was.
    pub(super) fn larger(&self) -> Result<Self, ModelError> {
        Self::new(self.lengths.clone())
    }

    /// Places of all sequences.
    pub(super) fn n_places(&self) -> usize {
        self.segments.n_tokens()
    }

    /// Whether one of these sequences has no free place.
    pub(super) fn is_full(&self, sequences: &[usize]) -> bool {
        sequences.iter().any(|sequence| self.lengths[*sequence] == self.segments.range(*sequence).len())
    }

    /// A batch whose rows look at all tokens that were seen, in their order.
    pub(super) fn seen(&self, vocab: usize) -> Result<BatchContext, ModelError> {
        let places = self.lengths.iter().enumerate().flat_map(|(sequence, length)| {
            let start = self.segments.range(sequence).start;
            start..start + length
        });
        self.looking_at(places, vocab)
    }

    /// A batch whose rows look at the next token of each of `sequences`, which ascend; they have seen it from now on.
    pub(super) fn next(&mut self, sequences: &[usize], vocab: usize) -> Result<BatchContext, ModelError> {
        let place = |sequence: &usize| self.segments.range(*sequence).start + self.lengths[*sequence];
        let context = self.looking_at(sequences.iter().map(place), vocab)?;
        for sequence in sequences {
            self.lengths[*sequence] += 1;
        }
        Ok(context)
    }

    fn looking_at(
        &self,
        places: impl Iterator<Item = usize>,
        vocab: usize,
    ) -> Result<BatchContext, ModelError> {
        #[expect(clippy::cast_possible_truncation, reason = "segments have fewer than 2^32 tokens")]
        let places: Vec<u32> = places.map(|place| place as u32).collect();
        // What the tokens are plays no part: only where they stand.
        let (tokens, targets) = (vec![0; self.n_places()], vec![0; places.len()]);
        let segments = &self.segments;
        let batch =
            SequenceBatch { tokens: &tokens, segments, row_positions: &places, row_targets: &targets };
        BatchContext::new(&batch, vocab)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_grow_into_their_own_places() {
        let mut room = Room::new(vec![3, 1]).unwrap();
        assert_eq!(room.n_places(), 3 + 64 + 1 + 64);
        assert_eq!(room.seen(5).unwrap().needed, [0, 1, 2, 67]);
        let next = room.next(&[1], 5).unwrap();
        assert_eq!((next.needed, next.needed_positions), (vec![68], vec![1]));
        assert_eq!(room.next(&[0, 1], 5).unwrap().needed, [3, 69]);
        assert!(!room.is_full(&[0, 1]));
        for _ in 0..62 {
            room.next(&[1], 5).unwrap();
        }
        assert!(room.is_full(&[1]) && !room.is_full(&[0]));
        let larger = room.larger().unwrap();
        assert_eq!(larger.seen(5).unwrap().needed.len(), 4 + 65);
        assert!(!larger.is_full(&[0, 1]));
    }
}
