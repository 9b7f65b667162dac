//! Which queries and keys meet: tiles of tokens, and the keys of a tile that a query sees

use crate::Segments;
use std::ops::Range;

/// Tokens in a tile of queries
const QUERIES: usize = 64;

/// Tokens in a tile of keys
pub(super) const KEYS: usize = 128;

/// Consecutive tokens of one segment
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) segment: usize,
    /// flat token indices, never empty
    pub(super) tokens: Range<usize>,
    /// position of the first token in its sequence
    pub(super) position: usize,
}

fn tiles(segments: &Segments, segment: usize, len: usize) -> impl Iterator<Item = Tile> {
    let range = segments.range(segment);
    let start_position = segments.start_position(segment);
    range.clone().step_by(len).map(move |start| Tile {
        segment,
        tokens: start..range.end.min(start + len),
        position: start_position + start - range.start,
    })
}

/// Tiles of the queries of one segment
pub(super) fn query_tiles(segments: &Segments, segment: usize) -> impl Iterator<Item = Tile> {
    tiles(segments, segment, QUERIES)
}

/// Tiles with keys that some query of `queries` sees, in the order of their positions
pub(super) fn key_tiles(
    segments: &Segments,
    queries: &Tile,
    window: Option<usize>,
) -> impl Iterator<Item = Tile> {
    let ancestors = segments.ancestors(queries.segment).iter().copied();
    let last = queries.position + queries.tokens.len();
    let first = window.map_or(0, |window| (queries.position + 1).saturating_sub(window));
    ancestors
        .chain([queries.segment])
        .flat_map(|segment| tiles(segments, segment, KEYS))
        .filter(move |keys| keys.position < last && keys.position + keys.tokens.len() > first)
}

/// Which keys of `keys`, counted from its start, a query at `position` sees
///
/// Keys are those of ancestors or of the query's own segment, so a key is seen exactly where its position is not above
/// the query's, and less than `window` below it.
pub(super) fn visible(keys: &Tile, position: usize, window: Option<usize>) -> Range<usize> {
    let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
    let n_keys = keys.tokens.len();
    let end = (position + 1).saturating_sub(keys.position).min(n_keys);
    first.saturating_sub(keys.position).min(end)..end
}
