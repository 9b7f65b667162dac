//! Pairs to measure on, told apart by what they say.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::pair_hash::PairHash;

/// The share of pairs that is held out, more than 0 and less than 1.
///
/// Whether a pair is held out depends on its [`pair_hash`](crate::pair_hash) and the share alone. So a pair is on the same
/// side wherever it stands and however often, in every file, command and run; and what a smaller share holds out, a larger
/// one does, too.
///
/// # Examples
///
/// ```
/// use sepo_data::{EvalFraction, PairContent, Part, pair_hash};
///
/// let pair = |id| PairContent::Tokens { prompt_ids: vec![id], chosen_ids: vec![1], rejected_ids: vec![2] };
/// let tenth = EvalFraction::new(0.1)?;
/// let n = (0..10_000).filter(|&id| tenth.part(pair_hash(&pair(id))) == Part::Eval).count();
/// assert!((900..1100).contains(&n));
/// assert!(EvalFraction::new(1.0).is_err());
/// # Ok::<(), sepo_data::EvalFractionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct EvalFraction(f64);

/// Which side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// What is trained on.
    Train,
    /// What is held out to measure on.
    Eval,
}

/// A share that holds out nothing or everything.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the share held out must be more than 0 and less than 1, and `{typed}` is not")]
pub struct EvalFractionError {
    /// What was given.
    pub typed: String,
}

impl EvalFraction {
    /// The share, checked.
    ///
    /// # Errors
    ///
    /// It is no number above 0 and below 1.
    pub fn new(share: f64) -> Result<Self, EvalFractionError> {
        if share > 0.0 && share < 1.0 {
            Ok(Self(share))
        } else {
            Err(EvalFractionError { typed: share.to_string() })
        }
    }

    /// The share.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The side of a pair: [`Part::Eval`] where the low 64 bits of its hash, read as a fraction of 2⁶⁴, are below the share.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low bits of the hash; a positive number below 2^64"
    )]
    pub fn part(self, hash: PairHash) -> Part {
        const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
        // A product with a power of two is exact.
        let bound = (self.0 * TWO_TO_64) as u64;
        if (hash.bits() as u64) < bound { Part::Eval } else { Part::Train }
    }
}

impl TryFrom<f64> for EvalFraction {
    type Error = EvalFractionError;

    fn try_from(share: f64) -> Result<Self, EvalFractionError> {
        Self::new(share)
    }
}

impl From<EvalFraction> for f64 {
    fn from(fraction: EvalFraction) -> Self {
        fraction.0
    }
}

impl FromStr for EvalFraction {
    type Err = EvalFractionError;

    fn from_str(typed: &str) -> Result<Self, EvalFractionError> {
        let refuse = || EvalFractionError { typed: typed.to_owned() };
        typed.parse().map_err(|_| refuse()).and_then(|share| Self::new(share).map_err(|_| refuse()))
    }
}
