//! Which tiles of queries and keys meet, as a device reads it

use super::AttentionLayout;
use super::tile::{QueryTile, query_tiles};
use crate::Segments;
use crate::device::Plan;

/// Tokens in a tile of keys, and queries in one of queries
pub(super) const TILE: usize = 64;

/// The tiles of a batch and which of them meet, made on the host and placed on the device once a batch
///
/// Tiles with most keys stand first, so that the last blocks of a grid are short ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionPlan {
    words: Vec<u32>,
    pub(super) parts: Parts,
    pub(super) n_queries: usize,
    pub(super) n_tokens: usize,
    pub(super) window: Option<usize>,
}

/// How many of what the words hold, in their order
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// tiles of queries: first row, rows, first and end of their entries
    pub(super) n_tiles: usize,
    /// runs of keys that a tile of queries meets: first token, tokens, position of the first
    pub(super) n_entries: usize,
    /// tiles of keys: the same three, first and end of the tiles of queries that meet them
    pub(super) n_key_tiles: usize,
    /// tiles of queries, by number
    pub(super) n_met: usize,
}

/// Consecutive tokens of one segment, as keys
#[derive(Clone, Copy)]
struct Keys {
    token: usize,
    n: usize,
    position: usize,
}

impl AttentionPlan {
    /// The plan of `layout`, for shapes with this window
    ///
    /// # Panics
    /// Where queries do not ascend within the tokens, the window is 0, or there are 2^32 tokens or meetings of tiles.
    #[must_use]
    pub fn new(layout: AttentionLayout<'_>, window: Option<usize>) -> Self {
        assert_ne!(window, Some(0), "a token sees at least itself");
        let n_queries = layout.n_queries();
        let segments = layout.segments;
        let key_tiles: Vec<Vec<Keys>> = (0..segments.n_segments()).map(|i| tiles_of(segments, i)).collect();
        let first_key_tile: Vec<usize> = key_tiles
            .iter()
            .scan(0, |next, tiles| Some(std::mem::replace(next, *next + tiles.len())))
            .collect();
        let mut met_by: Vec<Vec<usize>> = vec![Vec::new(); key_tiles.iter().map(Vec::len).sum()];
        let mut tiles: Vec<(QueryTile<'_>, Vec<Keys>, Vec<usize>)> = Vec::new();
        for tile in (0..segments.n_segments()).flat_map(|segment| query_tiles(layout, segment)) {
            let (mut keys, mut numbers) = (Vec::new(), Vec::new());
            for &segment in segments.ancestors(tile.segment).iter().chain([&tile.segment]) {
                let met =
                    key_tiles[segment].iter().enumerate().filter(|(_, keys)| meets(&tile, keys, window));
                for (i, tile_keys) in met {
                    keys.push(*tile_keys);
                    numbers.push(first_key_tile[segment] + i);
                }
            }
            tiles.push((tile, keys, numbers));
        }
        tiles.sort_by_key(|(tile, keys, _)| std::cmp::Reverse(keys.len() * tile.rows.len().div_ceil(16)));
        let mut plan = Words::default();
        let mut positions = vec![0; n_queries];
        for (number, (tile, keys, numbers)) in tiles.iter().enumerate() {
            let first = plan.entries.len() / 3;
            plan.entries.extend(keys.iter().flat_map(|keys| [keys.token, keys.n, keys.position]));
            plan.tiles.extend([tile.rows.start, tile.rows.len(), first, first + keys.len()]);
            for (i, row) in tile.rows.clone().enumerate() {
                positions[row] = tile.position(i);
            }
            numbers.iter().for_each(|&key_tile| met_by[key_tile].push(number));
        }
        let mut order: Vec<(Keys, &Vec<usize>)> = key_tiles.iter().flatten().copied().zip(&met_by).collect();
        order.sort_by_key(|(_, met)| std::cmp::Reverse(met.len()));
        for (keys, met) in order {
            let first = plan.met.len();
            plan.met.extend(met);
            plan.key_tiles.extend([keys.token, keys.n, keys.position, first, plan.met.len()]);
        }
        let parts = Parts {
            n_tiles: tiles.len(),
            n_entries: plan.entries.len() / 3,
            n_key_tiles: plan.key_tiles.len() / 5,
            n_met: plan.met.len(),
        };
        let all = [plan.tiles, plan.entries, positions, plan.key_tiles, plan.met].concat();
        let words =
            all.into_iter().map(|n| u32::try_from(n).expect("tokens and tiles are below 2^32")).collect();
        Self { words, parts, n_queries, n_tokens: segments.n_tokens(), window }
    }
}

impl Plan for AttentionPlan {
    fn words(&self) -> &[u32] {
        &self.words
    }
}

#[derive(Default)]
struct Words {
    tiles: Vec<usize>,
    entries: Vec<usize>,
    key_tiles: Vec<usize>,
    met: Vec<usize>,
}

fn tiles_of(segments: &Segments, segment: usize) -> Vec<Keys> {
    let (range, position) = (segments.range(segment), segments.start_position(segment));
    let starts = range.clone().step_by(TILE);
    starts
        .map(|token| Keys { token, n: TILE.min(range.end - token), position: position + token - range.start })
        .collect()
}

/// Whether some query of the tile sees some of the keys
fn meets(tile: &QueryTile<'_>, keys: &Keys, window: Option<usize>) -> bool {
    let (first, last) = (tile.position(0), tile.position(tile.rows.len() - 1));
    let seen_from = window.map_or(0, |window| (first + 1).saturating_sub(window));
    keys.position <= last && keys.position + keys.n > seen_from
}
