//! A text as ids, and where in it each token lies.

use tokenizers::Encoding;

use super::byte_level::Lengths;
use super::pieces::Pieces;
use super::spans::{span, spans};
use crate::Span;

/// The ids of a text.
#[derive(Debug)]
pub(super) struct EncodedText {
    pub(super) ids: Vec<u32>,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// Bytes from and to, as the library tells them.
    Offsets(Vec<(usize, usize)>),
    /// Tokens stand for so many bytes, one after the other.
    Lengths(Vec<u32>),
}

impl From<Lengths> for EncodedText {
    fn from(Lengths { ids, n_bytes }: Lengths) -> Self {
        Self { ids, places: Places::Lengths(n_bytes) }
    }
}

impl From<&Encoding> for EncodedText {
    fn from(encoding: &Encoding) -> Self {
        let places = Places::Offsets(encoding.get_offsets().to_vec());
        Self { ids: encoding.get_ids().to_vec(), places }
    }
}

impl EncodedText {
    /// Whether the first `n` tokens end by byte `border` and the others start from there.
    pub(super) fn parts_cleanly(&self, n: usize, border: usize) -> bool {
        match &self.places {
            Places::Offsets(offsets) => {
                offsets[..n].iter().all(|&(_, end)| end <= border)
                    && offsets[n..].iter().all(|&(start, _)| start >= border)
            }
            Places::Lengths(lengths) => total(&lengths[..n]) == border,
        }
    }

    /// How many tokens at the start end by byte `border`.
    pub(super) fn n_until(&self, border: usize) -> usize {
        match &self.places {
            Places::Offsets(offsets) => offsets.iter().take_while(|offsets| offsets.1 <= border).count(),
            Places::Lengths(lengths) => {
                let ends = lengths.iter().scan(0, |end, length| {
                    *end += *length as usize;
                    Some(*end)
                });
                ends.take_while(|end| *end <= border).count()
            }
        }
    }

    /// Spans in `rest`, which starts at byte `start` of the text, of the tokens from `first` on.
    pub(super) fn spans(&self, first: usize, start: usize, rest: &str, pieces: &Pieces) -> Vec<Span> {
        match &self.places {
            Places::Offsets(offsets) => {
                let offsets: Vec<_> = offsets[first..]
                    .iter()
                    .map(|&(from, to)| (from.saturating_sub(start), to.saturating_sub(start)))
                    .collect();
                spans(rest, &self.ids[first..], &offsets, pieces)
            }
            Places::Lengths(lengths) => {
                let mut end = total(&lengths[..first]).saturating_sub(start);
                let next = |length: &u32| {
                    let from = end;
                    end += *length as usize;
                    span(from, end)
                };
                lengths[first..].iter().map(next).collect()
            }
        }
    }
}

fn total(lengths: &[u32]) -> usize {
    lengths.iter().map(|length| *length as usize).sum()
}
