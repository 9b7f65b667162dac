//! Scores and selections against a known truth.

use std::ops::AddAssign;

use sepo_data::Span;
use serde::{Deserialize, Serialize};

use crate::QualityError;

/// The probability that a random positive scores higher than a random negative, ties counted half: the area under the
/// ROC curve, exactly.
///
/// Equal to the mean over all pairs of `1` for higher, `0.5` for equal and `0` for lower, in `O(n log n)`. Infinities
/// have their place in the order; -0 equals 0.
///
/// # Errors
///
/// * [`QualityError::EmptyClass`]: there are no positives or no negatives.
/// * [`QualityError::NotANumber`]: a score is not a number.
///
/// # Examples
///
/// ```
/// use sepo_select::auroc;
/// assert_eq!(auroc(&[2.0, 1.0], &[0.0, 1.0])?, 3.5 / 4.0);
/// # Ok::<(), sepo_select::QualityError>(())
/// ```
pub fn auroc(positives: &[f32], negatives: &[f32]) -> Result<f64, QualityError> {
    let (n_positives, n_negatives) = (positives.len(), negatives.len());
    if n_positives == 0 || n_negatives == 0 {
        return Err(QualityError::EmptyClass { n_positives, n_negatives });
    }
    if let Some(index) = positives.iter().chain(negatives).position(|s| s.is_nan()) {
        return Err(QualityError::NotANumber { index });
    }
    // Adding 0 makes -0 a 0, so that the total order agrees with `==`.
    let sorted = |scores: &[f32]| {
        let mut scores: Vec<f32> = scores.iter().map(|s| s + 0.0).collect();
        scores.sort_unstable_by(f32::total_cmp);
        scores
    };
    let negatives = sorted(negatives);
    let (mut below, mut up_to) = (0, 0);
    // Twice the number of pairs won; whole numbers, so no order of summation matters.
    let mut twice_won: u128 = 0;
    for positive in sorted(positives) {
        below += negatives[below..].iter().take_while(|&&n| n < positive).count();
        up_to = up_to.max(below);
        up_to += negatives[up_to..].iter().take_while(|&&n| n <= positive).count();
        twice_won += (below + up_to) as u128;
    }
    Ok(twice_won as f64 / (2.0 * n_positives as f64 * n_negatives as f64))
}

/// How well a selection finds the tokens that matter. Add several up for a data set's.
///
/// # Examples
///
/// ```
/// use sepo_select::MaskQuality;
/// let quality = MaskQuality::of(&[1.0, 0.0, 1.0], &[true, true, false])?;
/// assert_eq!((quality.precision(), quality.recall()), (Some(0.5), Some(0.5)));
/// # Ok::<(), sepo_select::QualityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MaskQuality {
    /// Tokens.
    pub n_tokens: u64,
    /// Tokens that are selected.
    pub n_selected: u64,
    /// Tokens that matter.
    pub n_true: u64,
    /// Tokens that are both.
    pub n_hits: u64,
}

impl MaskQuality {
    /// The counts of one response: a weight other than 0 is a selected token, `truth` says which matter.
    ///
    /// # Errors
    ///
    /// * [`QualityError::Length`]: there are more or fewer weights than tokens of known truth.
    pub fn of(weights: &[f32], truth: &[bool]) -> Result<Self, QualityError> {
        let (n_weights, n_tokens) = (weights.len(), truth.len());
        if n_weights != n_tokens {
            return Err(QualityError::Length { n_weights, n_tokens });
        }
        let mut quality = Self { n_tokens: n_tokens as u64, ..Self::default() };
        for (&weight, &is_true) in weights.iter().zip(truth) {
            let is_selected = weight != 0.0;
            quality.n_selected += u64::from(is_selected);
            quality.n_true += u64::from(is_true);
            quality.n_hits += u64::from(is_selected && is_true);
        }
        Ok(quality)
    }

    /// The share of selected tokens that matter; `None` where none is selected.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.n_hits, self.n_selected)
    }

    /// The share of tokens that matter that are selected; `None` where none matters.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.n_hits, self.n_true)
    }

    /// The share of all tokens that matter: the precision of a random selection. `None` without tokens.
    #[must_use]
    pub fn prevalence(&self) -> Option<f64> {
        share(self.n_true, self.n_tokens)
    }
}

impl AddAssign for MaskQuality {
    fn add_assign(&mut self, other: Self) {
        self.n_tokens += other.n_tokens;
        self.n_selected += other.n_selected;
        self.n_true += other.n_true;
        self.n_hits += other.n_hits;
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// For each token whether it shares at least one byte with a span of the truth.
///
/// Tokens without text, such as a closing end-of-sequence token, never do.
///
/// # Examples
///
/// ```
/// use sepo_select::{Span, truth_mask};
/// let span = |start, end| Span { start, end };
/// assert_eq!(truth_mask(&[span(0, 3), span(3, 7), span(7, 7)], &[span(5, 9)]), [false, true, false]);
/// ```
#[must_use]
pub fn truth_mask(tokens: &[Span], truth: &[Span]) -> Vec<bool> {
    let overlap = |a: &Span, b: &Span| a.start.max(b.start) < a.end.min(b.end);
    tokens.iter().map(|token| truth.iter().any(|span| overlap(token, span))).collect()
}
