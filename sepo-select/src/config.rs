//! What is selected.

use std::fmt;

use sepo_data::Side;
use serde::{Deserialize, Serialize};

use crate::weigh::SideRule;
use crate::{KeepFraction, Rule, Scope, SelectError};

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

/// What the weights of a response sum to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renormalize {
    /// To whatever the rule makes of them.
    #[default]
    Never,
    /// To the number of candidates, so that their mean is 1 and a method's weights do not stand for another β. Weights that
    /// sum to 0 or less stay as they are.
    Count,
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
    /// Which tokens, and how much. Read by name too, where its settings have defaults.
    #[serde(deserialize_with = "crate::rule_name::deserialize")]
    pub rule: Rule,
    /// What share of the chosen response, or of all of them.
    pub keep_chosen: KeepFraction,
    /// What share of the rejected response, or of all of them.
    pub keep_rejected: KeepFraction,
    /// Of what the shares are taken.
    pub scope: Scope,
    /// What becomes of the rejected side; where nothing is said, what [`Rule::side_rule`] says.
    pub side_rule: Option<SideRule>,
    /// What the weights of a response sum to.
    pub renormalize: Renormalize,
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
    /// * [`SelectError::Rule`]: another setting of the rule is out of its range.
    /// * [`SelectError::ScopeWithoutMeaning`]: the scope is more than a response, and the rule keeps no share of anything.
    /// * [`SelectError::EmptyBatch`]: the scope is a batch of no pairs.
    /// * [`SelectError::SideRuleWithoutMeaning`]: there is a side rule, and the rule looks at no score, or at no sign.
    /// * [`SelectError::RenormalizeScope`]: weights are to be renormalized that a whole data set is selected with.
    pub fn check(&self) -> Result<(), SelectError> {
        self.rule.check()?;
        let rule = self.rule.name();
        if self.scope != Scope::Response && !self.rule.keeps_a_share() {
            return Err(SelectError::ScopeWithoutMeaning { rule, scope: self.scope });
        }
        if (self.scope == Scope::Batch { n_pairs: 0 }) {
            return Err(SelectError::EmptyBatch);
        }
        if let (Some(side_rule), None) = (self.side_rule, self.rule.side_rule()) {
            return Err(SelectError::SideRuleWithoutMeaning { rule, side_rule });
        }
        if self.renormalize != Renormalize::Never && self.scope != Scope::Response {
            return Err(SelectError::RenormalizeScope { scope: self.scope });
        }
        Ok(())
    }

    /// What is done to the scores of a side.
    pub(crate) fn side_rule_on(&self, side: Side) -> SideRule {
        self.side_rule.or(self.rule.side_rule()).unwrap_or(SideRule::Same).on(side)
    }

    /// What share of a side is kept.
    pub(crate) fn keep(&self, side: Side) -> KeepFraction {
        match side {
            Side::Chosen => self.keep_chosen,
            Side::Rejected => self.keep_rejected,
        }
    }
}
