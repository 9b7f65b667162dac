//! What is packed, and for which of its tokens a log-probability is wanted.

use std::ops::Range;

use super::PackError;
use crate::Side;

/// For which tokens a batch asks for log-probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowPolicy {
    /// Every response token, those of weight 0 included.
    AllResponse,
    /// Response tokens whose weight is not 0. Tokens that no such row depends on are left out of the batch.
    Weighted,
    /// Every token but the first, the prompt's included: language modelling on `prompt_ids ++ chosen_ids`.
    /// Prompt tokens have weight 1; the rejected response must be empty.
    Everything,
}

/// A pair to pack, borrowed from wherever it lives.
///
/// # Which token an index names
///
/// `chosen_weights[i]` belongs to `chosen_ids[i]` as a *target*: the token that is predicted, not the one that
/// predicts.
#[derive(Debug, Clone, Copy, Default)]
pub struct PackItem<'a> {
    /// Row in the source; it comes back in [`PackedPair::row`](super::PackedPair::row) and in errors.
    pub row: u64,
    /// Ids before the responses. May be empty: then the first response token is predicted by nothing.
    pub prompt_ids: &'a [u32],
    /// Ids of the preferred response, or the only one.
    pub chosen_ids: &'a [u32],
    /// Ids of the dispreferred response; empty where there is none.
    pub rejected_ids: &'a [u32],
    /// One weight a chosen token; `None` is 1 everywhere.
    pub chosen_weights: Option<&'a [f32]>,
    /// One weight a rejected token; `None` is 1 everywhere.
    pub rejected_weights: Option<&'a [f32]>,
}

/// How much of a pair's responses the rows depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Chosen and rejected tokens that are an input to some row.
    pub(super) n_kept: [usize; 2],
    /// Tokens at the start of both that are the same; at most what is kept of either.
    pub(super) n_shared: usize,
}

impl PackItem<'_> {
    /// Tokens that this item takes in a batch, for [`plan_batches`](super::plan_batches).
    ///
    /// What both responses begin with counts once, like the prompt. Weights beyond the ids' length are ignored here;
    /// packing refuses them.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_data::{PackItem, RowPolicy};
    /// let item = PackItem {
    ///     prompt_ids: &[1, 2, 3], chosen_ids: &[4, 5], rejected_ids: &[6, 7, 8],
    ///     chosen_weights: Some(&[0.0, 0.0]), rejected_weights: Some(&[0.0, 1.0, 0.0]), ..PackItem::default()
    /// };
    /// assert_eq!(item.packed_tokens(RowPolicy::AllResponse), 3 + 1 + 2);
    /// assert_eq!(item.packed_tokens(RowPolicy::Weighted), 3 + 1);
    /// let alike = PackItem { rejected_ids: &[4, 7, 8], ..item };
    /// assert_eq!(alike.packed_tokens(RowPolicy::AllResponse), 3 + 1 + 2 - 1); // both begin with 4
    /// ```
    #[must_use]
    pub fn packed_tokens(&self, policy: RowPolicy) -> usize {
        if policy == RowPolicy::Everything {
            return (self.prompt_ids.len() + self.chosen_ids.len()).saturating_sub(1);
        }
        self.extent(policy)
            .map_or(0, |extent| self.prompt_ids.len() + extent.n_kept.iter().sum::<usize>() - extent.n_shared)
    }

    /// What the rows of a pair depend on, or `None` where neither side has a row.
    pub(super) fn extent(&self, policy: RowPolicy) -> Option<Extent> {
        let last_targets = Side::BOTH.map(|side| self.last_target(side, policy));
        if last_targets == [None, None] {
            return None;
        }
        let n_kept = last_targets.map(Option::unwrap_or_default);
        let [chosen, rejected] = [&self.chosen_ids[..n_kept[0]], &self.rejected_ids[..n_kept[1]]];
        let n_shared = chosen.iter().zip(rejected).take_while(|(a, b)| a == b).count();
        Some(Extent { n_kept, n_shared })
    }

    pub(super) fn ids(&self, side: Side) -> &[u32] {
        match side {
            Side::Chosen => self.chosen_ids,
            Side::Rejected => self.rejected_ids,
        }
    }

    pub(super) fn weights(&self, side: Side) -> Option<&[f32]> {
        match side {
            Side::Chosen => self.chosen_weights,
            Side::Rejected => self.rejected_weights,
        }
    }

    /// Response tokens that something predicts: all, but the first where there is no prompt.
    fn predicted(&self, side: Side) -> Range<usize> {
        usize::from(self.prompt_ids.is_empty())..self.ids(side).len()
    }

    /// (response token, weight) of the rows that `policy` asks for on this side, ascending.
    pub(super) fn targets(
        &self,
        side: Side,
        policy: RowPolicy,
    ) -> impl DoubleEndedIterator<Item = (usize, f32)> {
        let weights = self.weights(side);
        self.predicted(side)
            .map(move |token| (token, weights.map_or(1.0, |w| w.get(token).copied().unwrap_or(0.0))))
            .filter(move |&(_, weight)| policy != RowPolicy::Weighted || weight != 0.0)
    }

    /// The last response token that a row predicts. As an input it is needed no more, so it is also the number of
    /// this side's tokens that the batch must hold.
    fn last_target(&self, side: Side, policy: RowPolicy) -> Option<usize> {
        self.targets(side, policy).next_back().map(|(token, _)| token)
    }

    /// Checks weights against ids, once, before anything is packed.
    pub(super) fn check(&self, policy: RowPolicy) -> Result<(), PackError> {
        let row = self.row;
        for side in Side::BOTH {
            let Some(weights) = self.weights(side) else { continue };
            let n_tokens = self.ids(side).len();
            if weights.len() != n_tokens {
                return Err(PackError::WeightCount { row, side, n_weights: weights.len(), n_tokens });
            }
            if let Some(token) = weights.iter().position(|w| !w.is_finite()) {
                return Err(PackError::NonFiniteWeight { row, side, token, weight: weights[token] });
            }
            if let Some(&weight) = weights.first().filter(|&&w| w != 0.0 && self.prompt_ids.is_empty()) {
                return Err(PackError::WeightWithoutPrompt { row, side, weight });
            }
        }
        if policy == RowPolicy::Everything && !self.rejected_ids.is_empty() {
            return Err(PackError::TwoSequences { row, n_tokens: self.rejected_ids.len() });
        }
        Ok(())
    }
}
