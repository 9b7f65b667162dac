//! Which bytes of the response text each token stands for.

use super::pieces::Pieces;
use crate::Span;

/// One span a token, in bytes of `text`.
///
/// The token's own bytes decide: they are laid along the text one after the other, so the pieces of a split character
/// each carry their own byte. The tokenizer's offsets cannot tell that (they give each piece the whole character);
/// they check it, and they decide where the bytes do not fit because a normalizer changed the text (NFC, lower
/// case). There a span covers what the token came from, and pieces of one changed character share its span.
///
/// A space that the tokenizer invented in front of a word stands for no bytes.
pub(super) fn spans(text: &str, ids: &[u32], offsets: &[(usize, usize)], pieces: &Pieces) -> Vec<Span> {
    let bytes = text.as_bytes();
    let offsets: Vec<_> = offsets.iter().map(|o| (o.0.min(bytes.len()), o.1.min(bytes.len()))).collect();
    let covering_ends = covering_ends(bytes, &offsets);
    let mut cursor = 0;
    let mut spans = Vec::with_capacity(ids.len());
    for ((&id, &(start, end)), covering_end) in ids.iter().zip(&offsets).zip(covering_ends) {
        let fitting = pieces
            .get(id)
            .and_then(|piece| fitting_bytes(&bytes[cursor..], piece))
            .filter(|length| cursor <= end && cursor + length >= start);
        let (from, to) = match fitting {
            Some(length) => (cursor, cursor + length),
            None => {
                // Offsets leave out spaces that belong to the token where `trim_offsets` is set.
                let is_gap = cursor < start && bytes[cursor..start].iter().all(u8::is_ascii_whitespace);
                let from = if is_gap { cursor } else { start };
                (from, covering_end.max(from))
            }
        };
        spans.push(span(from, to));
        cursor = cursor.max(to);
    }
    spans
}

/// The ends of the offsets, moved over what no token claims. A composed character has the offsets of the first
/// character it was composed of, and the others would belong to no token. White space is left to the next token.
fn covering_ends(text: &[u8], offsets: &[(usize, usize)]) -> Vec<usize> {
    let mut next_start = text.len();
    let mut ends = vec![0; offsets.len()];
    for i in (0..offsets.len()).rev() {
        let end = offsets[i].1;
        if let Some(next) = offsets.get(i + 1).filter(|next| next.0 >= end) {
            next_start = next.0;
        }
        let gap = text.get(end..next_start).unwrap_or_default();
        ends[i] = end + gap.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
    }
    ends
}

/// How many bytes of `text` the piece takes, `None` where it does not fit.
fn fitting_bytes(text: &[u8], piece: &[u8]) -> Option<usize> {
    match piece {
        _ if text.starts_with(piece) => Some(piece.len()),
        [b' ', rest @ ..] if text.starts_with(rest) => Some(rest.len()),
        _ => None,
    }
}

/// A span; texts beyond 4 GiB end at the last byte that can be named.
pub(super) fn span(start: usize, end: usize) -> Span {
    let narrow = |byte| u32::try_from(byte).unwrap_or(u32::MAX);
    Span { start: narrow(start), end: narrow(end) }
}
