//! Which queries and keys meet: tiles of tokens, and the keys of a tile that a query sees

use super::{AttentionLayout, Queries};
use crate::Segments;
use std::ops::Range;

/// Queries in a tile
const QUERIES: usize = 64;

/// Tokens in a tile of keys
pub(super) const KEYS: usize = 128;

/// Queries of one segment, in the order of their positions
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QueryTile<'a> {
    pub(super) segment: usize,
    /// rows of `q` and of everything that has its shape, never empty
    pub(super) rows: Range<usize>,
    places: Places<'a>,
}

/// Where the queries of a tile stand in their sequence
#[derive(Clone, Debug, PartialEq, Eq)]
enum Places<'a> {
    /// one after the other, from this position on
    From(usize),
    /// at these flat tokens, whose positions are this much above their index, or below it
    At { tokens: &'a [u32], position: usize, first_token: usize },
}

impl QueryTile<'_> {
    /// Position of the `i`-th query of the tile
    pub(super) fn position(&self, i: usize) -> usize {
        match self.places {
            Places::From(position) => position + i,
            Places::At { tokens, position, first_token } => position + tokens[i] as usize - first_token,
        }
    }

    fn last_position(&self) -> usize {
        self.position(self.rows.len() - 1)
    }
}

/// Consecutive tokens of one segment, as keys
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyTile {
    pub(super) segment: usize,
    /// flat token indices, never empty
    pub(super) tokens: Range<usize>,
    /// position of the first token in its sequence
    pub(super) position: usize,
}

/// Rows of `q` that belong to the tokens of `segment`
pub(super) fn query_rows(layout: AttentionLayout<'_>, segment: usize) -> Range<usize> {
    let tokens = layout.segments.range(segment);
    match layout.queries {
        Queries::All => tokens,
        Queries::At(queries) => {
            let before = |token: usize| queries.partition_point(|query| (*query as usize) < token);
            before(tokens.start)..before(tokens.end)
        }
    }
}

/// Tiles of the queries of one segment
pub(super) fn query_tiles(
    layout: AttentionLayout<'_>,
    segment: usize,
) -> impl Iterator<Item = QueryTile<'_>> {
    let rows = query_rows(layout, segment);
    let first_token = layout.segments.range(segment).start;
    let position = layout.segments.start_position(segment);
    rows.clone().step_by(QUERIES).map(move |start| {
        let rows = start..rows.end.min(start + QUERIES);
        let places = match layout.queries {
            Queries::All => Places::From(position + start - first_token),
            Queries::At(queries) => Places::At { tokens: &queries[rows.clone()], position, first_token },
        };
        QueryTile { segment, rows, places }
    })
}

/// Tiles with keys that some query of `queries` sees, in the order of their positions
pub(super) fn key_tiles<'a>(
    segments: &'a Segments,
    queries: &QueryTile<'_>,
    window: Option<usize>,
) -> impl Iterator<Item = KeyTile> + use<'a> {
    let ancestors = segments.ancestors(queries.segment).iter().copied();
    let end = queries.last_position() + 1;
    let first = window.map_or(0, |window| (queries.position(0) + 1).saturating_sub(window));
    ancestors
        .chain([queries.segment])
        .flat_map(|segment| tiles(segments, segment))
        .filter(move |keys| keys.position < end && keys.position + keys.tokens.len() > first)
}

fn tiles(segments: &Segments, segment: usize) -> impl Iterator<Item = KeyTile> + use<> {
    let range = segments.range(segment);
    let start_position = segments.start_position(segment);
    range.clone().step_by(KEYS).map(move |start| KeyTile {
        segment,
        tokens: start..range.end.min(start + KEYS),
        position: start_position + start - range.start,
    })
}

/// Which keys of `keys`, counted from its start, a query at `position` sees
///
/// Keys are those of ancestors or of the query's own segment, so a key is seen exactly where its position is not above
/// the query's, and less than `window` below it.
pub(super) fn visible(keys: &KeyTile, position: usize, window: Option<usize>) -> Range<usize> {
    let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
    let n_keys = keys.tokens.len();
    let end = (position + 1).saturating_sub(keys.position).min(n_keys);
    first.saturating_sub(keys.position).min(end)..end
}
