//! The last pass over a data set.

use super::DataSetCuts;
use super::key::Ranking;
use crate::candidates::{candidates, closing_token, selects_both_closing_tokens};
use crate::{PairScores, SelectConfig, SelectError, Selected};

/// The third pass of a selection from a whole data set; made by [`DataSetRefiner::finish`](super::DataSetRefiner::finish).
#[derive(Debug, Clone)]
pub struct DataSetSelector {
    config: SelectConfig,
    sides: [SideCut; 2],
    cuts: DataSetCuts,
}

/// What of one side is selected, and how much of it is still to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct SideCut {
    pub(super) ranking: Ranking,
    /// Higher keys are selected.
    pub(super) key: u32,
    /// As many with this very key are, too.
    pub(super) n_ties: u64,
    /// Tokens to come.
    pub(super) n_left: u64,
}

impl SideCut {
    pub(super) fn nothing(ranking: Ranking) -> Self {
        Self { ranking, key: u32::MAX, n_ties: 0, n_left: 0 }
    }

    fn takes(&mut self, key: u32) -> bool {
        let is_tie = key == self.key && self.n_ties > 0;
        self.n_ties -= u64::from(is_tie);
        let is_selected = is_tie || key > self.key;
        self.n_left = self.n_left.wrapping_sub(u64::from(is_selected));
        is_selected
    }
}

impl DataSetSelector {
    pub(super) fn new(config: SelectConfig, sides: [SideCut; 2], cuts: DataSetCuts) -> Self {
        Self { config, sides, cuts }
    }

    /// Where the data set parts.
    #[must_use]
    pub fn cuts(&self) -> DataSetCuts {
        self.cuts
    }

    /// A weight for every response token of the next pair.
    ///
    /// # Errors
    ///
    /// * [`SelectError::NonFiniteScore`]: a score is infinite or not a number.
    pub fn select(&mut self, pair: PairScores<'_>) -> Result<Selected, SelectError> {
        let closes = selects_both_closing_tokens(&self.config, [pair.chosen_end, pair.rejected_end]);
        let mut weights = [Vec::new(), Vec::new()];
        for (i, (side, scores, end)) in pair.sides().into_iter().enumerate() {
            let candidates = candidates(&self.config, (pair.row, side), scores, end)?;
            let cut = &mut self.sides[i];
            let mut side_weights = vec![0.0; scores.len()];
            let keys = cut.ranking.keys((pair.row, side), &scores[candidates.clone()]);
            for (weight, key) in side_weights[candidates].iter_mut().zip(keys) {
                if cut.takes(key) {
                    *weight = 1.0;
                }
            }
            if closes {
                side_weights[closing_token(scores.len(), end)].fill(1.0);
            }
            weights[i] = side_weights;
        }
        let [chosen_weights, rejected_weights] = weights;
        Ok(Selected { chosen_weights, rejected_weights })
    }

    /// Where the data set parts, after its last pair.
    ///
    /// # Errors
    ///
    /// * [`SelectError::PassesDiffer`]: other scores were selected from than were counted.
    pub fn finish(self) -> Result<DataSetCuts, SelectError> {
        if self.sides.iter().any(|side| side.n_left != 0) {
            return Err(SelectError::PassesDiffer);
        }
        Ok(self.cuts)
    }
}
