//! Weights that people, or models in their place, have written beside the text.

use std::ops::Range;

use sepo_data::{Side, Span};

use super::error::{check_finite, check_len};
use super::{Segments, WeighError};

/// 1 for tokens of the sentences that speak for their side: factual ones of the chosen, unfactual ones of the rejected
/// response. Mask-DPO (2503.02846).
///
/// A token belongs to the sentence with which it shares most bytes. (The released code tokenizes sentences by
/// themselves, whose borders may drift, and masks nothing where lengths disagree.) Tokens outside of all sentences, such
/// as the closing end-of-sequence token, have the weight 0.
///
/// # Errors
///
/// [`WeighError::Length`]: there are more or fewer labels than sentences.
///
/// # Examples
///
/// ```
/// use sepo_select::{Side, Span, weigh::{Segments, sentence_weights}};
/// let span = |start, end| Span { start, end };
/// let sentences = Segments::new(vec![span(0, 6), span(6, 12)])?;
/// let tokens = [span(0, 5), span(5, 9), span(9, 12)];
/// let labels = [true, false];
/// assert_eq!(sentence_weights(Side::Chosen, &tokens, &sentences, &labels)?, [1.0, 0.0, 0.0]);
/// assert_eq!(sentence_weights(Side::Rejected, &tokens, &sentences, &labels)?, [0.0, 1.0, 1.0]);
/// # Ok::<(), sepo_select::weigh::WeighError>(())
/// ```
pub fn sentence_weights(
    side: Side,
    tokens: &[Span],
    sentences: &Segments,
    is_factual: &[bool],
) -> Result<Vec<f64>, WeighError> {
    check_len(("labels", is_factual.len()), ("sentences", sentences.len()))?;
    let kept = side == Side::Chosen;
    let weight = |sentence: usize| f64::from(u8::from(is_factual[sentence] == kept));
    Ok(of_segments(tokens, sentences, weight))
}

/// `Σ_a W_a · s_{k,a}` for tokens of segment `k`, 0 outside of all segments: 2D-DPO (2410.19720).
///
/// The scores are used as they stand on both sides. Read literally, the method then gives the worst segments of a
/// rejected response the least weight; what the paper does about that is not known, so a caller who wants it otherwise
/// hands in transformed scores.
///
/// # Shapes
///
/// | argument | shape | |
/// |---|---|---|
/// | `scores` | `[n_segments, n_aspects]` | row by row |
/// | `aspects` | `[n_aspects]` | `W`, which sums to 1 in the paper |
///
/// # Errors
///
/// * [`WeighError::Length`]: there are more or fewer scores than segments times aspects.
/// * [`WeighError::NotFinite`]: a score or an aspect's weight is infinite or not a number.
///
/// # Examples
///
/// ```
/// use sepo_select::{Span, weigh::{Segments, aspect_weights}};
/// let span = |start, end| Span { start, end };
/// let segments = Segments::new(vec![span(0, 4), span(4, 8)])?;
/// let weights = aspect_weights(&[span(0, 3), span(3, 8)], &segments, &[1.0, 3.0, 2.0, 0.0], &[0.5, 0.5])?;
/// assert_eq!(weights, [2.0, 1.0]);
/// # Ok::<(), sepo_select::weigh::WeighError>(())
/// ```
pub fn aspect_weights(
    tokens: &[Span],
    segments: &Segments,
    scores: &[f64],
    aspects: &[f64],
) -> Result<Vec<f64>, WeighError> {
    check_len(("scores", scores.len()), ("segments times aspects", segments.len() * aspects.len()))?;
    check_finite("score", scores)?;
    check_finite("aspect's weight", aspects)?;
    let n_aspects = aspects.len();
    let weight = |k: usize| -> f64 {
        scores[k * n_aspects..][..n_aspects].iter().zip(aspects).map(|(score, weight)| score * weight).sum()
    };
    Ok(of_segments(tokens, segments, weight))
}

/// 1 for tokens of the turns `kept`, 0 for all others: the segments of SDPO (2501.01821), which compares from the
/// erroneous turn of a session on, the same number of turns on both sides.
///
/// # Errors
///
/// [`WeighError::NoSuchTurn`]: `kept` reaches beyond the turns, or ends before it begins.
///
/// # Examples
///
/// ```
/// use sepo_select::{Span, weigh::{Segments, turn_weights}};
/// let span = |start, end| Span { start, end };
/// let turns = Segments::new(vec![span(0, 4), span(4, 8), span(8, 9)])?;
/// assert_eq!(turn_weights(&[span(0, 4), span(4, 6), span(6, 9)], &turns, 1..3)?, [0.0, 1.0, 1.0]);
/// # Ok::<(), sepo_select::weigh::WeighError>(())
/// ```
pub fn turn_weights(tokens: &[Span], turns: &Segments, kept: Range<usize>) -> Result<Vec<f64>, WeighError> {
    if kept.start > kept.end || kept.end > turns.len() {
        return Err(WeighError::NoSuchTurn { first: kept.start, last: kept.end, n_turns: turns.len() });
    }
    Ok(of_segments(tokens, turns, |turn| f64::from(u8::from(kept.contains(&turn)))))
}

fn of_segments(tokens: &[Span], segments: &Segments, weight: impl Fn(usize) -> f64) -> Vec<f64> {
    segments.of_tokens(tokens).into_iter().map(|segment| segment.map_or(0.0, &weight)).collect()
}
