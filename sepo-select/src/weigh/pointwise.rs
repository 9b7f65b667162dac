//! Transforms of a score by itself.

use serde::{Deserialize, Serialize};

use super::error::check;
use super::{SideRule, WeighError};

/// `k · exp(μ · clamp(s, low, high))`: TIS-DPO's importance weight (2410.04350), `s = log π₊ − log π₋`.
///
/// The paper has `μ > 0` on the chosen and `μ < 0` on the rejected side, both after the clamp: [`SideRule::Opposite`].
/// Its text was not at hand for the defaults `k = 1`, `μ = 1`, `low = −0.5`, `high = 1.5`; the released code does not
/// hold this transform at all, but [`rank_linear`](super::rank_linear).
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::{ExpClamp, SideRule};
/// let tis = ExpClamp::default();
/// assert_eq!(tis.weight(0.0, SideRule::Same), 1.0);
/// assert_eq!(tis.weight(9.0, SideRule::Same), 1.5f64.exp());
/// assert_eq!(tis.weight(-2.0, SideRule::Opposite), 0.5f64.exp());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpClamp {
    /// Factor of every weight; above 0.
    pub k: f64,
    /// Factor in the exponent.
    pub mu: f64,
    /// Lowest score, in nats.
    pub low: f64,
    /// Highest score, in nats; not below `low`.
    pub high: f64,
}

impl Default for ExpClamp {
    fn default() -> Self {
        Self { k: 1.0, mu: 1.0, low: -0.5, high: 1.5 }
    }
}

impl ExpClamp {
    /// Nothing, where the settings can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: `k` is not above 0, `low` is above `high`, or one is not finite.
    pub fn check(&self) -> Result<(), WeighError> {
        check("k", self.k, self.k > 0.0, "it must be above 0")?;
        check("mu", self.mu, true, "it must be finite")?;
        check("low", self.low, true, "it must be finite")?;
        check("high", self.high, self.low <= self.high, "it must be finite and not below `low`")
    }

    /// The weight of a score.
    #[must_use]
    pub fn weight(&self, score: f64, side: SideRule) -> f64 {
        let score = if side == SideRule::Negate { -score } else { score };
        let mu = if side == SideRule::Opposite { -self.mu } else { self.mu };
        self.k * (mu * score.max(self.low).min(self.high)).exp()
    }
}

/// `1 + slope · s`: TGDPO's weight (2506.14574), with `slope = α · β` and `1 − slope · s` on the rejected side.
///
/// Weights turn negative where `|slope · s| > 1`, as the method has it.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::{Affine, SideRule};
/// assert_eq!(Affine { slope: 0.5 }.weight(0.5, SideRule::Same), 1.25);
/// assert_eq!(Affine { slope: 0.5 }.weight(0.5, SideRule::Negate), 0.75);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Affine {
    /// Weight for each nat.
    pub slope: f64,
}

impl Default for Affine {
    /// α = 0.5 times β = 0.1.
    fn default() -> Self {
        Self { slope: 0.05 }
    }
}

impl Affine {
    /// Nothing, where the settings can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: the slope is not finite.
    pub fn check(&self) -> Result<(), WeighError> {
        check("slope", self.slope, true, "it must be finite")
    }

    /// The weight of a score.
    #[must_use]
    pub fn weight(&self, score: f64, side: SideRule) -> f64 {
        1.0 + self.slope * if side.is_turned() { -score } else { score }
    }
}

/// `σ(s) − ½`, from −½ to ½: T-REG's token reward (2412.02685), `s = log p(better prompt) − log p(worse prompt)`.
///
/// # Examples
///
/// ```
/// assert_eq!(sepo_select::weigh::centred_sigmoid(0.0), 0.0);
/// assert!(sepo_select::weigh::centred_sigmoid(-800.0) >= -0.5);
/// ```
#[must_use]
pub fn centred_sigmoid(score: f64) -> f64 {
    // σ(s) − ½ = ½ tanh(s/2), which loses nothing near 0 and overflows nowhere.
    0.5 * (0.5 * score).tanh()
}

/// `1 − s`: what is left beside a probability, as critical tokens (2411.19943) weigh rejected tokens.
///
/// # Examples
///
/// ```
/// assert_eq!(sepo_select::weigh::one_minus(0.25), 0.75);
/// ```
#[must_use]
pub fn one_minus(score: f64) -> f64 {
    1.0 - score
}
