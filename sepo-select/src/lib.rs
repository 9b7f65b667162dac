//! Token scores from any two models, and the rules that keep the few that matter.
//!
//! A *score* says how much a token carries a preference: the log-probability that a preference-trained model gives it,
//! minus the one of its frozen start. A *rule* turns the scores of a pair into a weight for every response token. Rules
//! work on any scores, from whatever model: slices in, weights out.
//!
//! * [`Scorer`] scores pairs with an oracle and its reference, [`score_pairs`] a stream of any length, and
//!   [`ShardedScores`] one that may be stopped at any moment and goes on from there.
//! * [`select_pair`] applies a [`SelectConfig`] to one pair; [`select_file`] to a `scores.parquet`.
//! * [`DataSetCounter`] begins a selection from all responses of a data set together, exact and in little memory.
//! * [`weigh`] holds the transforms from scores to weights, as functions over slices.
//! * [`import_response`] takes weights that others have made, by token or by span of the text.
//! * [`project`](mod@project) carries scores and weights over to the tokens of another tokenizer.
//! * [`KeepFraction`] is a share of tokens, read as an exact decimal.
//! * [`SelectReport`] says what a selection did: shares, positions, the fate of the closing end-of-sequence token.
//! * [`auroc`] and [`MaskQuality`] compare scores and selections with a known truth.
//!
//! Not for training: a selection is made once, before it, and stored.
//!
//! # Examples
//!
//! ```
//! use sepo_select::{PairScores, ResponseEnd, SelectConfig, select_pair};
//!
//! // Thirty per cent of each response: the highest of the chosen one, the lowest of the rejected one.
//! let selected = select_pair(
//!     &SelectConfig::default(),
//!     PairScores {
//!         row: 0,
//!         chosen_scores: &[0.1, 2.0, -0.3, 0.2],
//!         rejected_scores: &[0.0, 0.1, -1.5],
//!         chosen_end: ResponseEnd::Eos,
//!         rejected_end: ResponseEnd::Eos,
//!     },
//! )?;
//! assert_eq!(selected.chosen_weights, [0.0, 1.0, 0.0, 0.0]);
//! assert_eq!(selected.rejected_weights, [0.0, 0.0, 1.0]);
//! # Ok::<(), sepo_select::SelectError>(())
//! ```

#![forbid(unsafe_code)]

mod candidates;
mod config;
mod data_set;
mod error;
mod import;
mod keep_fraction;
pub mod project;
mod quality;
mod rank;
mod report;
mod rule;
mod rule_name;
mod scope;
mod score;
mod score_spans;
mod select_batch;
mod select_file;
mod select_pair;
mod token_class;
pub mod weigh;
mod weights;

pub use config::{Compat, EosRule, Renormalize, SelectConfig};
pub use data_set::{DataSetCounter, DataSetCut, DataSetCuts, DataSetRefiner, DataSetSelector, LengthCuts};
pub use error::{QualityError, SelectError};
pub use import::{ImportConfig, ImportError, RejectedWeights, ResponseText, Unit, import_response};
pub use keep_fraction::{KeepFraction, KeepFractionError};
pub use quality::{MaskQuality, auroc, truth_mask};
pub use report::{ClassCounts, DropReason, SelectReport, SelectWarning, SideReport};
pub use rule::Rule;
pub use scope::Scope;
pub use score::{
    FinishedShards, PairScorer, ScoreConfig, ScoreError, ScoreReport, Scorer, ShardConfig, ShardProgress,
    ShardedScores, TokenJudge, score_pairs,
};
pub use score_spans::{ScoreSpans, SpansError};
pub use select_batch::select_batch;
pub use select_file::{FileOptions, select_file, select_file_classified, select_file_with};
pub use select_pair::{PairScores, ResponseEnd, Selected, select_pair};
pub use sepo_data::{Side, Span};
pub use token_class::TokenClass;
