//! What is selected.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{KeepFraction, Scope, SelectError};

/// Which tokens of a response carry the preference.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Rule {
    /// The highest scores of the chosen, the lowest of the rejected response: the paper's.
    #[default]
    Sepo,
    /// The largest |score| on both sides. A token that both responses share, such as the closing end-of-sequence
    /// token, is then weighed on both and cancels.
    Salience,
    /// Chosen tokens with a score of at least `at`, rejected tokens with one of at most `-at`. The fractions are not
    /// used; a side may end up empty.
    Threshold {
        /// The least score, in nats; finite.
        at: f64,
    },
    /// As many as [`Sepo`](Self::Sepo) keeps, drawn without replacement. What is drawn depends on the seed, the pair's
    /// row and the side, not on the order in which pairs come. With [`Scope::DataSet`] every candidate draws 32 bits, and
    /// the highest are kept.
    Random {
        /// Seed of the draw.
        seed: u64,
    },
    /// Every candidate.
    All,
}

impl Rule {
    /// The rule's name, as the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sepo => "sepo",
            Self::Salience => "salience",
            Self::Threshold { .. } => "threshold",
            Self::Random { .. } => "random",
            Self::All => "all",
        }
    }
}

/// What happens to the closing end-of-sequence token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EosRule {
    /// It is a candidate like any other.
    #[default]
    Rule,
    /// It is no candidate. Counts are taken over the candidates that remain.
    Never,
    /// It is selected on both sides, in addition to what [`Never`](Self::Never) selects, so that it cancels. Where only
    /// one of the two responses ends with it, it could not cancel and is not selected.
    Both,
}

impl fmt::Display for EosRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rule => "rule",
            Self::Never => "never",
            Self::Both => "both",
        })
    }
}

/// Whose conventions hold where the paper's text and its script differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compat {
    /// Every response token is a candidate, and `min(n, max(1, floor(k · n)))` of `n` are kept.
    #[default]
    Exact,
    /// The script's: the first response token is never a candidate, and `int(float(k) * n)` of the `n` others are
    /// kept, which may be none.
    Official,
}

impl Compat {
    /// How many of `n_candidates` are kept.
    #[must_use]
    pub fn count(self, keep: KeepFraction, n_candidates: usize) -> usize {
        match self {
            Self::Exact => keep.count(n_candidates),
            Self::Official => keep.official_count(n_candidates),
        }
    }

    /// The first response token that may be selected.
    pub(crate) const fn first_candidate(self) -> usize {
        match self {
            Self::Exact => 0,
            Self::Official => 1,
        }
    }
}

/// A rule with its settings.
///
/// # Examples
///
/// ```
/// use sepo_select::{EosRule, Rule, SelectConfig};
/// let config = SelectConfig { rule: Rule::Salience, eos: EosRule::Never, ..SelectConfig::default() };
/// assert_eq!(config.keep_chosen.to_string(), "0.3");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectConfig {
    /// Which tokens.
    pub rule: Rule,
    /// What share of the chosen response, or of all of them.
    pub keep_chosen: KeepFraction,
    /// What share of the rejected response, or of all of them.
    pub keep_rejected: KeepFraction,
    /// Of what the shares are taken.
    pub scope: Scope,
    /// What happens to the closing end-of-sequence token.
    pub eos: EosRule,
    /// Whose conventions hold.
    pub compat: Compat,
}

impl SelectConfig {
    /// Nothing, where every setting can be used.
    ///
    /// # Errors
    ///
    /// * [`SelectError::NonFiniteThreshold`]: the threshold is infinite or not a number.
    /// * [`SelectError::ScopeWithoutMeaning`]: the scope is the data set, and the rule keeps no share of anything.
    pub fn check(&self) -> Result<(), SelectError> {
        match self.rule {
            Rule::Threshold { at } if !at.is_finite() => Err(SelectError::NonFiniteThreshold { at }),
            Rule::Threshold { .. } | Rule::All if self.scope == Scope::DataSet => {
                Err(SelectError::ScopeWithoutMeaning { rule: self.rule.name() })
            }
            _ => Ok(()),
        }
    }
}
