//! Token scores from two models: `log π_oracle − log π_reference` for every response token.

mod error;
mod scorer;
mod sharded;
mod stream;
mod token_judge;

pub use error::ScoreError;
pub use scorer::{PairScorer, Scorer};
pub use sharded::{FinishedShards, ShardConfig, ShardProgress, ShardedScores};
pub use stream::{ScoreConfig, ScoreReport, score_pairs};
pub use token_judge::TokenJudge;
