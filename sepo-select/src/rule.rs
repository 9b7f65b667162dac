//! Which tokens of a response carry the preference, and how much.

use serde::{Deserialize, Serialize};

use crate::SelectError;
use crate::weigh::{
    Affine, ChangePoints, Decay, ExpClamp, Level, RankLinear, SharedLength, SideRule, WeighError,
};

/// Which tokens of a response carry the preference, and how much.
///
/// Rules up to [`All`](Self::All) select: weights are 0 or 1. Those after it weigh: see [`weigh`](crate::weigh) for the
/// formulas. As text they are written with their settings, `{"tis": {"mu": 0.5}}`; those without, by name.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
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
    /// row and the side, not on the order in which pairs come; from a [batch](crate::Scope::Batch), the row is that of its
    /// first pair. From whole data sets every candidate draws 32 bits, and the highest are kept.
    Random {
        /// Seed of the draw.
        seed: u64,
    },
    /// Chosen tokens above the response's mean score, rejected ones below it.
    Mean,
    /// Chosen tokens from the response's quantile `q` up; rejected ones whose score with its sign changed is at least
    /// that quantile of such scores.
    Quantile {
        /// From 0 to 1.
        q: f64,
    },
    /// Chosen tokens above 0, rejected ones below it.
    Sign,
    /// Whole segments between change points, where their mean is above 0 (chosen) or below it (rejected): our reading of
    /// ASR.
    Asr(ChangePoints),
    /// Every candidate.
    All,
    /// TIS-DPO's importance weights, as the paper has them.
    Tis(ExpClamp),
    /// TIS-DPO's weights by rank, as the released code has them; there the closing token has the weight 0, which
    /// [`EosRule::Never`](crate::EosRule::Never) gives it.
    TisRank(RankLinear),
    /// TGDPO's weights, affine in the score.
    Tgdpo(Affine),
    /// T-REG's token rewards, from −½ to ½. They are of either sign, and meant for a regulariser.
    TReg,
    /// 1 on the chosen side, `1 − σ(score)` on the rejected one, where `σ(score) = p₊ / (p₊ + p₋)`: after critical tokens,
    /// which take `p₊² / p₋` among the whole vocabulary for what is `σ` here, more than a file of scores holds.
    Critical,
    /// `σ(score)`; `σ(−score)` on the rejected side. Of scores by a [token classifier](crate::TokenJudge), how likely a token is good, or
    /// bad where it is rejected.
    Probability,
    /// From 0 for the lowest score of a response to 1 for the highest; on the rejected side the other way round.
    MinMax,
    /// D2PO's decay with the position.
    D2po(Decay),
    /// LD-DPO's lesser weight beyond the shorter response's length.
    LdDpo(SharedLength),
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
            Self::Mean => "mean",
            Self::Quantile { .. } => "quantile",
            Self::Sign => "sign",
            Self::Asr(_) => "asr",
            Self::All => "all",
            Self::Tis(_) => "tis",
            Self::TisRank(_) => "tis-rank",
            Self::Tgdpo(_) => "tgdpo",
            Self::TReg => "t-reg",
            Self::Critical => "critical",
            Self::Probability => "probability",
            Self::MinMax => "min-max",
            Self::D2po(_) => "d2po",
            Self::LdDpo(_) => "ld-dpo",
        }
    }

    /// Whether the rule keeps a share that is set beforehand.
    #[must_use]
    pub const fn keeps_a_share(self) -> bool {
        matches!(self, Self::Sepo | Self::Salience | Self::Random { .. })
    }

    /// What becomes of the rejected side where nothing else is said; `None` where there is nothing to be said, since the
    /// rule does not look at scores, or at their sign.
    #[must_use]
    pub const fn side_rule(self) -> Option<SideRule> {
        match self {
            Self::Sepo | Self::Tis(_) => Some(SideRule::Opposite),
            Self::Threshold { .. }
            | Self::Mean
            | Self::Quantile { .. }
            | Self::Sign
            | Self::Asr(_)
            | Self::TisRank(_)
            | Self::Tgdpo(_)
            | Self::Probability
            | Self::MinMax => Some(SideRule::Negate),
            Self::TReg => Some(SideRule::Same),
            Self::Salience
            | Self::Random { .. }
            | Self::All
            | Self::Critical
            | Self::D2po(_)
            | Self::LdDpo(_) => None,
        }
    }

    /// From where up a score is selected, where that is all the rule asks.
    pub(crate) const fn level(self) -> Option<Level> {
        match self {
            Self::Threshold { at } => Some(Level::Const { at }),
            Self::Mean => Some(Level::Mean),
            Self::Quantile { q } => Some(Level::Quantile { q }),
            Self::Sign => Some(Level::Sign),
            _ => None,
        }
    }

    /// Nothing, where the settings can be used.
    pub(crate) fn check(self) -> Result<(), SelectError> {
        let checked = match self {
            Self::Threshold { at } if !at.is_finite() => return Err(SelectError::NonFiniteThreshold { at }),
            Self::Asr(settings) => settings.check(),
            Self::Tis(settings) => settings.check(),
            Self::TisRank(settings) => settings.check(),
            Self::Tgdpo(settings) => settings.check(),
            Self::D2po(settings) => settings.check(),
            Self::LdDpo(settings) => settings.check(),
            _ => self.level().map_or(Ok(()), |level| level.check()),
        };
        checked.map_err(|source: WeighError| SelectError::Rule { rule: self.name(), source })
    }
}
