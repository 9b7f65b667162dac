//! Token scores from two models: `log π_oracle − log π_reference` for every response token.

mod error;
mod scorer;
mod stream;

pub use error::ScoreError;
pub use scorer::Scorer;
pub use stream::{ScoreConfig, ScoreReport, score_pairs};
