//! Which tokens of a response a rule may select.

use std::ops::Range;

use sepo_data::Side;

use crate::{EosRule, ResponseEnd, SelectConfig, SelectError};

/// The candidates among a response's tokens, all of whose scores are numbers.
///
/// # Errors
///
/// * [`SelectError::NonFiniteScore`]: a score is infinite or not a number, candidate or not.
pub(crate) fn candidates(
    config: &SelectConfig,
    (row, side): (u64, Side),
    scores: &[f32],
    end: ResponseEnd,
) -> Result<Range<usize>, SelectError> {
    if let Some(token) = scores.iter().position(|s| !s.is_finite()) {
        return Err(SelectError::NonFiniteScore { row, side, token, score: scores[token] });
    }
    let end = match config.eos {
        EosRule::Rule => scores.len(),
        EosRule::Never | EosRule::Both => closing_token(scores.len(), end).start,
    };
    Ok(config.compat.first_candidate().min(end)..end)
}

/// Where the closing end-of-sequence token stands; empty where the response has none.
pub(crate) fn closing_token(n_tokens: usize, end: ResponseEnd) -> Range<usize> {
    n_tokens.saturating_sub(usize::from(end == ResponseEnd::Eos))..n_tokens
}

/// Whether both responses of a pair end with the closing token, and the rule for it selects it on both sides then.
pub(crate) fn selects_both_closing_tokens(config: &SelectConfig, ends: [ResponseEnd; 2]) -> bool {
    config.eos == EosRule::Both && ends == [ResponseEnd::Eos; 2]
}
