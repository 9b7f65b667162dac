//! What becomes of the rejected side.

use sepo_data::Side;
use serde::{Deserialize, Serialize};

/// How a transform is applied to rejected responses; chosen ones get it as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SideRule {
    /// As to chosen ones.
    Same,
    /// To the scores with their sign changed: a threshold `s ≥ at` becomes `s ≤ −at`, a rank is taken from the lowest
    /// score, `1 + c · s` becomes `1 − c · s`.
    Negate,
    /// With the transform turned around: the lowest instead of the highest, `s ≤ at` instead of `s ≥ at`, and the
    /// exponent `−μ · clamp(s, low, high)` instead of `μ · clamp(s, low, high)`, of the score as it is. For every other
    /// transform the same as [`Negate`](Self::Negate).
    Opposite,
}

impl SideRule {
    /// The name, as the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Negate => "negate",
            Self::Opposite => "opposite",
        }
    }

    /// What is done on this side: a chosen response is never turned.
    pub(crate) fn on(self, side: Side) -> Self {
        match side {
            Side::Chosen => Self::Same,
            Side::Rejected => self,
        }
    }

    /// Whether the highest scores become the lowest ones.
    pub(crate) fn is_turned(self) -> bool {
        self != Self::Same
    }
}
