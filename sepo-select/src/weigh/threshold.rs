//! Scores from a level up.

use serde::{Deserialize, Serialize};

use super::WeighError;
use super::error::check;

/// From where up a score counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Level {
    /// `s ≥ at`.
    Const {
        /// In the unit of the scores; finite.
        at: f64,
    },
    /// `s > mean(s)`.
    Mean,
    /// `s ≥` the quantile `q` of the scores: see [`quantile`].
    Quantile {
        /// From 0 to 1.
        q: f64,
    },
    /// `s > 0`.
    Sign,
}

impl Level {
    /// Nothing, where the level can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: a constant is not finite, or a quantile not from 0 to 1.
    pub fn check(&self) -> Result<(), WeighError> {
        match *self {
            Self::Const { at } => check("at", at, true, "it must be finite"),
            Self::Quantile { q } => check("q", q, (0.0..=1.0).contains(&q), "it must be from 0 to 1"),
            Self::Mean | Self::Sign => Ok(()),
        }
    }
}

/// Which scores reach a level; of no scores, none.
///
/// # Ties
///
/// Where all scores are equal, none is above the mean, and all reach every quantile.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::{Level, threshold};
/// let scores = [1.0, -2.0, 4.0];
/// assert_eq!(threshold(&scores, Level::Const { at: 1.0 }), [true, false, true]);
/// assert_eq!(threshold(&scores, Level::Mean), [false, false, true]);
/// assert_eq!(threshold(&scores, Level::Quantile { q: 0.5 }), [true, false, true]);
/// assert_eq!(threshold(&scores, Level::Sign), [true, false, true]);
/// ```
#[must_use]
pub fn threshold(scores: &[f64], level: Level) -> Vec<bool> {
    let from = |least: f64| scores.iter().map(|s| *s >= least).collect();
    let above = |bound: f64| scores.iter().map(|s| *s > bound).collect();
    match level {
        Level::Const { at } => from(at),
        Level::Mean => above(scores.iter().sum::<f64>() / scores.len() as f64),
        Level::Quantile { q } => from(quantile(scores, q)),
        Level::Sign => above(0.0),
    }
}

/// The quantile `q` of some numbers, between two of them by linear interpolation: numpy's `quantile` with its default
/// method, to the last bit. Not a number where there are none.
///
/// `q` is held to `0..=1`.
///
/// # Examples
///
/// ```
/// assert_eq!(sepo_select::weigh::quantile(&[3.0, 1.0, 2.0, 4.0], 0.5), 2.5);
/// assert_eq!(sepo_select::weigh::quantile(&[3.0, 1.0], 1.0), 3.0);
/// ```
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the floor of a number from 0 to n - 1"
)]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let place = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let mut values = values.to_vec();
    let (_, low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let low = *low;
    let Some(high) = above.iter().copied().min_by(f64::total_cmp) else { return low };
    let (step, t) = (high - low, place - below as f64);
    // numpy comes from the nearer end.
    if t < 0.5 { low + step * t } else { high - step * (1.0 - t) }
}
