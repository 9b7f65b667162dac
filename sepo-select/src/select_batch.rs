//! Several pairs' scores into weights, by a share of all of them.

use sepo_data::Side;

use crate::candidates::{candidates, closing_token, selects_both_closing_tokens};
use crate::weights::kept;
use crate::{PairScores, ResponseEnd, Scope, SelectConfig, SelectError, Selected};

/// A weight for every response token of some pairs, whose candidates of a side are taken together ([`Scope::Batch`]).
///
/// Equal to [`select_pair`](crate::select_pair) on one pair whose responses are those of all pairs one after another, but
/// for what a candidate is, which each response decides for itself. The pairs are a batch, however many there are: RHO-1
/// ranks so across a batch of training, here it is what follows each other in a file.
///
/// # Ties
///
/// The earlier pair first, then the lower position; -0 equals 0.
///
/// # Errors
///
/// Those of [`select_pair`](crate::select_pair); [`SelectError::OtherScope`] where the scope is no batch.
///
/// # Examples
///
/// ```
/// use sepo_select::{PairScores, Scope, SelectConfig, select_batch};
/// let config = SelectConfig { scope: Scope::Batch { n_pairs: 2 }, ..SelectConfig::default() };
/// let pairs = [
///     PairScores { chosen_scores: &[0.1, 0.3], rejected_scores: &[0.0], ..PairScores::default() },
///     PairScores { chosen_scores: &[2.0, 1.0], rejected_scores: &[-1.0], ..PairScores::default() },
/// ];
/// let selected = select_batch(&config, &pairs)?;
/// assert!(selected[0].drop_reason().is_some());
/// assert_eq!(selected[1].chosen_weights, [1.0, 0.0]);
/// # Ok::<(), sepo_select::SelectError>(())
/// ```
pub fn select_batch(config: &SelectConfig, pairs: &[PairScores<'_>]) -> Result<Vec<Selected>, SelectError> {
    config.check()?;
    if !matches!(config.scope, Scope::Batch { .. }) {
        return Err(SelectError::OtherScope { scope: config.scope });
    }
    let responses = |side| pairs.iter().map(move |pair| response(pair, side));
    let mut sides = [Vec::new(), Vec::new()];
    for (side, weights) in [Side::Chosen, Side::Rejected].into_iter().zip(&mut sides) {
        *weights = select_side(config, side, responses(side).collect())?;
    }
    let [chosen, rejected] = sides;
    let selected = chosen
        .into_iter()
        .zip(rejected)
        .map(|(chosen_weights, rejected_weights)| Selected { chosen_weights, rejected_weights });
    let mut selected: Vec<Selected> = selected.collect();
    for (pair, selected) in pairs.iter().zip(&mut selected) {
        if selects_both_closing_tokens(config, [pair.chosen_end, pair.rejected_end]) {
            for weights in [&mut selected.chosen_weights, &mut selected.rejected_weights] {
                let closing = closing_token(weights.len(), ResponseEnd::Eos);
                weights[closing].fill(1.0);
            }
        }
    }
    Ok(selected)
}

fn response<'a>(pair: &PairScores<'a>, side: Side) -> (u64, &'a [f32], ResponseEnd) {
    match side {
        Side::Chosen => (pair.row, pair.chosen_scores, pair.chosen_end),
        Side::Rejected => (pair.row, pair.rejected_scores, pair.rejected_end),
    }
}

/// The weights of each response of a side.
fn select_side(
    config: &SelectConfig,
    side: Side,
    responses: Vec<(u64, &[f32], ResponseEnd)>,
) -> Result<Vec<Vec<f32>>, SelectError> {
    let mut all = Vec::new();
    let mut ranges = Vec::with_capacity(responses.len());
    for (row, scores, end) in &responses {
        let range = candidates(config, (*row, side), scores, *end)?;
        all.extend_from_slice(&scores[range.clone()]);
        ranges.push(range);
    }
    let mut is_kept = vec![false; all.len()];
    let row = responses.first().map_or(0, |(row, ..)| *row);
    kept(config, (row, side), &all)?.into_iter().for_each(|index| is_kept[index as usize] = true);
    let mut next = is_kept.into_iter();
    let weights = responses.iter().zip(ranges).map(|((_, scores, _), range)| {
        let mut weights = vec![0.0; scores.len()];
        weights[range]
            .iter_mut()
            .zip(next.by_ref())
            .for_each(|(w, is_kept)| *w = f32::from(u8::from(is_kept)));
        weights
    });
    Ok(weights.collect())
}
