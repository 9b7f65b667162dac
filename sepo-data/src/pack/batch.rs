//! The packed form.

use std::ops::Range;

use super::item::Extent;
use super::{PackError, PackItem, RowPolicy};
use crate::Side;

/// The rows of one pair in a [`PackedBatch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedPair {
    /// Row in the source, as the item named it.
    pub row: u64,
    /// Its chosen rows. May be empty.
    pub chosen: Range<usize>,
    /// Its rejected rows. May be empty.
    pub rejected: Range<usize>,
}

/// Several pairs in one flat token run, no padding.
///
/// # Shapes
///
/// | field | length | meaning |
/// |---|---|---|
/// | `tokens` | n_tokens | ids of all segments, one after the other |
/// | `segment_offsets` | n_segments + 1 | segment `s` is `tokens[offsets[s]..offsets[s + 1]]`, never empty |
/// | `segment_parents` | n_segments | the segment that a response continues; `None` for a root |
/// | `row_positions`, `row_targets`, `row_weights` | n_rows | one log-probability wanted each |
/// | `pairs` | n_items | one an item, in order, also where it has no rows |
///
/// # Which token an index names
///
/// `row_positions[r]` is an index into `tokens`: the token whose hidden state predicts the id `row_targets[r]`. The
/// target is the token *after* it in the sequence, and need not be in `tokens` itself: the last target of a response
/// is an input to nothing and is left out. The last prompt position predicts the first token of both responses,
/// so it appears in the rows of both, as do the tokens that both responses begin with; positions are therefore not
/// sorted across a pair's two sides. Where the responses part, one position has two targets. The rows of a pair and
/// side are contiguous and in the order of their response tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PackedBatch {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Where segments begin, and the end.
    pub segment_offsets: Vec<usize>,
    /// The segment that each segment continues.
    pub segment_parents: Vec<Option<usize>>,
    /// Index into `tokens` of the hidden state that predicts the target.
    pub row_positions: Vec<u32>,
    /// Id that is predicted.
    pub row_targets: Vec<u32>,
    /// Weight of the target.
    pub row_weights: Vec<f32>,
    /// The rows of each item.
    pub pairs: Vec<PackedPair>,
}

impl PackedBatch {
    /// The items in one flat run, with the rows that `policy` asks for.
    ///
    /// The root of an item is its prompt and the tokens that both responses begin with, as far as both have rows that
    /// depend on them; what remains of each response is a child of the root. With [`RowPolicy::Everything`] the item
    /// is a single root segment. A side whose rows need no hidden state of its own (an empty response, rows for the
    /// first token only, or a response that the other begins with) makes no segment, and an item without rows on both
    /// sides contributes no tokens. Where the prompt is empty, the first token of a response has no row, and responses
    /// that begin differently are root segments.
    ///
    /// # Errors
    ///
    /// * [`PackError::WeightCount`], [`PackError::NonFiniteWeight`]: weights that do not fit the ids.
    /// * [`PackError::WeightWithoutPrompt`]: a weight other than 0 on a first token that nothing predicts.
    /// * [`PackError::TwoSequences`]: [`RowPolicy::Everything`] with a rejected response.
    /// * [`PackError::TooManyTokens`]: more than `u32::MAX` tokens.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::{PackItem, PackedBatch, RowPolicy};
    /// let item = PackItem {
    ///     row: 7, prompt_ids: &[1, 2], chosen_ids: &[10, 11, 12], rejected_ids: &[10, 21, 22], ..PackItem::default()
    /// };
    /// let batch = PackedBatch::pack(&[item], RowPolicy::AllResponse)?;
    /// assert_eq!(batch.tokens, [1, 2, 10, 11, 21]); // both responses begin with 10
    /// assert_eq!(batch.segment_offsets, [0, 3, 4, 5]);
    /// assert_eq!(batch.segment_parents, [None, Some(0), Some(0)]);
    /// assert_eq!(batch.row_positions, [1, 2, 3, 1, 2, 4]); // token 1 is the last of the prompt
    /// assert_eq!(batch.row_targets, [10, 11, 12, 10, 21, 22]);
    /// # Ok::<(), sepo_data::PackError>(())
    /// ```
    pub fn pack(items: &[PackItem<'_>], policy: RowPolicy) -> Result<Self, PackError> {
        let n_tokens = items.iter().map(|item| item.packed_tokens(policy)).sum();
        let mut batch = Self {
            tokens: Vec::with_capacity(n_tokens),
            segment_offsets: vec![0],
            pairs: Vec::with_capacity(items.len()),
            ..Self::default()
        };
        for item in items {
            item.check(policy)?;
            let n_tokens = batch.tokens.len() + item.packed_tokens(policy);
            if u32::try_from(n_tokens).is_err() {
                return Err(PackError::TooManyTokens { row: item.row, n_tokens });
            }
            let [chosen, rejected] = if policy == RowPolicy::Everything {
                batch.push_sequence(item)
            } else {
                batch.push_pair(item, policy)
            };
            batch.pairs.push(PackedPair { row: item.row, chosen, rejected });
        }
        Ok(batch)
    }

    /// Tokens that the network must process.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Segments.
    #[must_use]
    pub fn n_segments(&self) -> usize {
        self.segment_parents.len()
    }

    /// Log-probabilities that are wanted.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.row_targets.len()
    }

    fn push_pair(&mut self, item: &PackItem<'_>, policy: RowPolicy) -> [Range<usize>; 2] {
        let first_row = self.n_rows();
        let Some(Extent { n_kept, n_shared }) = item.extent(policy) else {
            return [first_row..first_row, first_row..first_row];
        };
        let prompt_end = self.tokens.len() + item.prompt_ids.len();
        let root = self.push_segment(&[item.prompt_ids, &item.chosen_ids[..n_shared]], None);
        let [n_chosen, n_rejected] = n_kept;
        [(Side::Chosen, n_chosen), (Side::Rejected, n_rejected)].map(|(side, n_kept)| {
            let ids = item.ids(side);
            let start = self.tokens.len();
            self.push_segment(&[&ids[n_shared..n_kept]], root);
            let rows_start = self.n_rows();
            for (token, weight) in item.targets(side, policy) {
                // The token before it, which for the first that is not shared is still in the root.
                let position =
                    if token <= n_shared { prompt_end + token - 1 } else { start + token - n_shared - 1 };
                self.push_row(position, ids[token], weight);
            }
            rows_start..self.n_rows()
        })
    }

    fn push_sequence(&mut self, item: &PackItem<'_>) -> [Range<usize>; 2] {
        let start = self.tokens.len();
        let first_row = self.n_rows();
        let ids = [item.prompt_ids, item.chosen_ids].concat();
        self.push_segment(&[&ids[..ids.len().saturating_sub(1)]], None);
        let n_prompt = item.prompt_ids.len();
        for (token, &id) in ids.iter().enumerate().skip(1) {
            let weight = match item.chosen_weights {
                Some(weights) if token >= n_prompt => weights[token - n_prompt],
                _ => 1.0,
            };
            self.push_row(start + token - 1, id, weight);
        }
        [first_row..self.n_rows(), self.n_rows()..self.n_rows()]
    }

    /// The index of a segment made of these parts, or `None` for an empty one, which is not stored.
    fn push_segment(&mut self, parts: &[&[u32]], parent: Option<usize>) -> Option<usize> {
        if parts.iter().all(|part| part.is_empty()) {
            return None;
        }
        for part in parts {
            self.tokens.extend_from_slice(part);
        }
        self.segment_offsets.push(self.tokens.len());
        self.segment_parents.push(parent);
        Some(self.segment_parents.len() - 1)
    }

    fn push_row(&mut self, position: usize, target: u32, weight: f32) {
        #[expect(clippy::cast_possible_truncation, reason = "`pack` refuses batches beyond u32::MAX tokens")]
        self.row_positions.push(position as u32);
        self.row_targets.push(target);
        self.row_weights.push(weight);
    }
}
