//! Weights by position alone.

use serde::{Deserialize, Serialize};

use super::WeighError;
use super::error::check;

/// `γ^(t + 1)`: D2PO's temporal decay (2502.14340). The first token has `γ`, not 1, as in the released code.
///
/// # Which token an index names
///
/// `token` is the response token from 0.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::Decay;
/// assert_eq!(Decay { gamma: 0.5 }.weight(0), 0.5);
/// assert_eq!(Decay { gamma: 0.5 }.weight(2), 0.125);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Decay {
    /// Above 0, at most 1.
    pub gamma: f64,
}

impl Default for Decay {
    /// 0.98, the released code's.
    fn default() -> Self {
        Self { gamma: 0.98 }
    }
}

impl Decay {
    /// Nothing, where the settings can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: γ is not above 0, or above 1.
    pub fn check(&self) -> Result<(), WeighError> {
        check("gamma", self.gamma, self.gamma > 0.0 && self.gamma <= 1.0, "it must be above 0 and at most 1")
    }

    /// The weight of a response token.
    #[must_use]
    pub fn weight(&self, token: usize) -> f64 {
        // Beyond 2^31 tokens the power is 0 or 1 anyway.
        self.gamma.powi(i32::try_from(token).unwrap_or(i32::MAX - 1) + 1)
    }
}

/// 1 for tokens up to the length of the shorter response, `α` for what the longer one has beyond it: LD-DPO
/// (2409.06411), TRL's `ld_alpha`. With `α = 1` nothing is changed.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::SharedLength;
/// let ld = SharedLength { alpha: 0.25 };
/// assert_eq!([0, 1, 2].map(|token| ld.weight(token, 2)), [1.0, 1.0, 0.25]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedLength {
    /// From 0 to 1.
    pub alpha: f64,
}

impl SharedLength {
    /// Nothing, where the settings can be used.
    ///
    /// # Errors
    ///
    /// [`WeighError::Setting`]: α is below 0 or above 1.
    pub fn check(&self) -> Result<(), WeighError> {
        check("alpha", self.alpha, (0.0..=1.0).contains(&self.alpha), "it must be from 0 to 1")
    }

    /// The weight of a response token, where the shorter of both responses has `n_shared` tokens.
    #[must_use]
    pub fn weight(&self, token: usize, n_shared: usize) -> f64 {
        if token < n_shared { 1.0 } else { self.alpha }
    }
}
