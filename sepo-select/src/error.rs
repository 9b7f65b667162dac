//! Why a selection or a metric could not be made.

use std::path::PathBuf;

use sepo_data::{ArtifactError, Side};
use sepo_kernels::KernelError;
use thiserror::Error;

use crate::weigh::{SideRule, WeighError};
use crate::{EosRule, Scope};

/// Why a selection could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SelectError {
    /// A score is infinite or not a number.
    #[error("row {row} has the score {score} at {side} token {token}")]
    NonFiniteScore {
        /// Row in the source.
        row: u64,
        /// The response at fault.
        side: Side,
        /// Response token, from 0.
        token: usize,
        /// The score found.
        score: f32,
    },
    /// A threshold is infinite or not a number.
    #[error("the threshold {at} is not a finite number")]
    NonFiniteThreshold {
        /// The threshold given.
        at: f64,
    },
    /// A setting of the rule is out of its range.
    #[error("the rule `{rule}` cannot be used")]
    Rule {
        /// Name of the rule.
        rule: &'static str,
        /// Which setting, and why.
        source: WeighError,
    },
    /// A weight is infinite or not a number.
    #[error(
        "the rule gives row {row} the weight {weight} at {side} token {token}; bring its settings nearer to 0"
    )]
    NonFiniteWeight {
        /// Row in the source.
        row: u64,
        /// The response at fault.
        side: Side,
        /// Response token, from 0.
        token: usize,
        /// The weight found.
        weight: f64,
    },
    /// The rule keeps no share, so there is none to be taken of anything.
    #[error(
        "`--scope {}` has no meaning for `--rule {rule}`, which keeps no share of the tokens; leave it out, or use \
         `--rule sepo` with the share to be kept",
        scope.name()
    )]
    ScopeWithoutMeaning {
        /// Name of the rule.
        rule: &'static str,
        /// The scope asked for.
        scope: Scope,
    },
    /// A batch of no pairs.
    #[error("a batch has one pair at least: raise `--batch-pairs`")]
    EmptyBatch,
    /// There is nothing to be turned around on the rejected side.
    #[error("`--side-rule {}` has no meaning for `--rule {rule}`, which does not look at the sign of scores", side_rule.name())]
    SideRuleWithoutMeaning {
        /// Name of the rule.
        rule: &'static str,
        /// The side rule asked for.
        side_rule: SideRule,
    },
    /// Weights of 0 and 1 that a response gets its due of as others do.
    #[error(
        "`--renormalize count` has no meaning with `--scope {}`, by which a response gets as many tokens as it has of the \
         best of several; leave one of them out",
        scope.name()
    )]
    RenormalizeScope {
        /// The scope asked for.
        scope: Scope,
    },
    /// A function for one scope was called with the settings of the other.
    #[error("this function does not select with the scope `{}`", scope.name())]
    OtherScope {
        /// The scope asked for.
        scope: Scope,
    },
    /// The passes over a data set have seen different scores.
    #[error("the scores have changed between the passes over them")]
    PassesDiffer,
    /// More candidates than this machine can count.
    #[error("{n_candidates} candidates are more than this machine can count")]
    TooManyTokens {
        /// Candidates of a side.
        n_candidates: u64,
    },
    /// Scores could not be ranked.
    #[error("cannot rank the {side} scores of row {row}")]
    Rank {
        /// Row in the source.
        row: u64,
        /// The response at fault.
        side: Side,
        /// Why.
        source: KernelError,
    },
    /// A rule for the closing end-of-sequence token was set, but the scores do not say which token that is.
    #[error("`{}` does not name the end-of-sequence token, which the rule `{eos}` for it needs", path.display())]
    UnknownEos {
        /// The scores.
        path: PathBuf,
        /// The rule set.
        eos: EosRule,
    },
    /// The selection would replace its own scores.
    #[error("`{}` is the scores' own file", path.display())]
    OverwritesScores {
        /// The file.
        path: PathBuf,
    },
    /// The scores cannot be read, or the selection not be written.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The settings cannot be stored.
    #[error("cannot store the settings of the selection")]
    Settings {
        /// Why.
        source: serde_json::Error,
    },
}

/// Why a metric could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum QualityError {
    /// One of the classes has no scores.
    #[error("{n_positives} positive and {n_negatives} negative scores: both are needed")]
    EmptyClass {
        /// Scores of the positive class.
        n_positives: usize,
        /// Scores of the negative class.
        n_negatives: usize,
    },
    /// A score is not a number.
    #[error("score {index} is not a number, counting positives, then negatives")]
    NotANumber {
        /// Its index in the positives followed by the negatives.
        index: usize,
    },
    /// A mask and its truth have different lengths.
    #[error("{n_weights} weights for {n_tokens} tokens of known truth")]
    Length {
        /// Weights given.
        n_weights: usize,
        /// Tokens of known truth.
        n_tokens: usize,
    },
}
