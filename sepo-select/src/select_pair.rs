//! One pair's scores into weights.

use sepo_data::Side;

use crate::candidates::{candidates, closing_token, selects_both_closing_tokens};
use crate::weights::{Place, weights};
use crate::{DropReason, Scope, SelectConfig, SelectError};

/// How a response ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ResponseEnd {
    /// Its last token is the closing end-of-sequence token.
    Eos,
    /// It ends with any other token, was cut off, or is empty.
    #[default]
    Open,
}

impl ResponseEnd {
    /// How the response `ids` ends: with [`Eos`](Self::Eos) where the last id is `eos_token_id` and nothing was cut.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_select::ResponseEnd;
    /// assert_eq!(ResponseEnd::of(&[5, 2], Some(2), false), ResponseEnd::Eos);
    /// assert_eq!(ResponseEnd::of(&[2, 5], Some(2), false), ResponseEnd::Open);
    /// assert_eq!(ResponseEnd::of(&[5, 2], Some(2), true), ResponseEnd::Open);
    /// ```
    #[must_use]
    pub fn of(ids: &[u32], eos_token_id: Option<u32>, truncated: bool) -> Self {
        match (ids.last(), eos_token_id) {
            (Some(&last), Some(eos)) if last == eos && !truncated => Self::Eos,
            _ => Self::Open,
        }
    }
}

/// The scores of one pair.
///
/// # Which token an index names
///
/// `chosen_scores[i]` scores the chosen response's token `i` as the predicted token; the first response token is
/// included, and so is the closing end-of-sequence token.
#[derive(Debug, Clone, Copy, Default)]
pub struct PairScores<'a> {
    /// Row in the source, for errors and for the random rule.
    pub row: u64,
    /// One score a chosen token.
    pub chosen_scores: &'a [f32],
    /// One score a rejected token.
    pub rejected_scores: &'a [f32],
    /// How the chosen response ends.
    pub chosen_end: ResponseEnd,
    /// How the rejected response ends.
    pub rejected_end: ResponseEnd,
}

impl<'a> PairScores<'a> {
    /// Scores and end of either side.
    pub(crate) fn sides(&self) -> [(Side, &'a [f32], ResponseEnd); 2] {
        [
            (Side::Chosen, self.chosen_scores, self.chosen_end),
            (Side::Rejected, self.rejected_scores, self.rejected_end),
        ]
    }
}

/// The weights of one pair: 0 for a token that is not selected; 1 for any other, where the rule does not weigh them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Selected {
    /// One weight a chosen token.
    pub chosen_weights: Vec<f32>,
    /// One weight a rejected token.
    pub rejected_weights: Vec<f32>,
}

impl Selected {
    /// The weights of a side.
    pub(crate) fn weights_mut(&mut self, side: Side) -> &mut Vec<f32> {
        match side {
            Side::Chosen => &mut self.chosen_weights,
            Side::Rejected => &mut self.rejected_weights,
        }
    }

    /// Why the pair is of no use, where a side has nothing selected: its mean log-probability is undefined.
    #[must_use]
    pub fn drop_reason(&self) -> Option<DropReason> {
        let is_empty = |weights: &[f32]| weights.iter().all(|&w| w == 0.0);
        match (is_empty(&self.chosen_weights), is_empty(&self.rejected_weights)) {
            (true, true) => Some(DropReason::EmptyBoth),
            (true, false) => Some(DropReason::EmptyChosen),
            (false, true) => Some(DropReason::EmptyRejected),
            (false, false) => None,
        }
    }
}

/// A weight for every response token of one pair.
///
/// For the rules that keep a share, equal to sorting each side's candidates by score, stably, and giving the first
/// `count` the weight 1; for all others, see [`Rule`](crate::Rule). What is no candidate has the weight 0. An empty response
/// gives no weights.
///
/// # Ties
///
/// The lower position comes first, for the highest and for the lowest scores; -0 equals 0.
///
/// # Errors
///
/// * [`SelectError::NonFiniteScore`]: a score of either side is infinite or not a number, candidate or not.
/// * [`SelectError::NonFiniteWeight`]: so is a weight.
/// * Those of [`SelectConfig::check`].
/// * [`SelectError::OtherScope`]: the shares are those of more than a response, of which a pair does not know.
/// * [`SelectError::Rank`]: a response has more than `u32::MAX` tokens.
///
/// # Examples
///
/// ```
/// use sepo_select::{PairScores, Rule, SelectConfig, select_pair};
/// let scores = PairScores { chosen_scores: &[0.2, -3.0, 1.0], rejected_scores: &[2.0, -1.0], ..Default::default() };
/// let selected = select_pair(&SelectConfig { rule: Rule::Salience, ..Default::default() }, scores)?;
/// assert_eq!(selected.chosen_weights, [0.0, 1.0, 0.0]);
/// assert_eq!(selected.rejected_weights, [1.0, 0.0]);
/// # Ok::<(), sepo_select::SelectError>(())
/// ```
pub fn select_pair(config: &SelectConfig, pair: PairScores<'_>) -> Result<Selected, SelectError> {
    config.check()?;
    if config.scope != Scope::Response {
        return Err(SelectError::OtherScope { scope: config.scope });
    }
    let closes = selects_both_closing_tokens(config, [pair.chosen_end, pair.rejected_end]);
    let n_shared = pair.chosen_scores.len().min(pair.rejected_scores.len());
    let select = |side, scores: &[f32], end| -> Result<Vec<f32>, SelectError> {
        let row = pair.row;
        let candidates = candidates(config, (row, side), scores, end)?;
        let place = Place { row, side, first: candidates.start, n_shared };
        let mut all = vec![0.0; scores.len()];
        all[candidates.clone()].copy_from_slice(&weights(config, place, &scores[candidates])?);
        if closes {
            all[closing_token(scores.len(), end)].fill(1.0);
        }
        Ok(all)
    };
    Ok(Selected {
        chosen_weights: select(Side::Chosen, pair.chosen_scores, pair.chosen_end)?,
        rejected_weights: select(Side::Rejected, pair.rejected_scores, pair.rejected_end)?,
    })
}
