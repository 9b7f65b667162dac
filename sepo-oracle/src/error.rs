//! What can go wrong on the way to an oracle.

use sepo_data::{ArtifactError, ShardError};
use sepo_train::TrainError;

/// Errors of making an oracle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
    /// The share of pairs is not one.
    #[error("oracle fraction is {fraction}, expected above 0 and at most 1")]
    Fraction {
        /// The value given.
        fraction: f64,
    },
    /// There is no pair to learn from.
    #[error("there are no pairs to train an oracle on")]
    NoPairs,
    /// There are more pairs than a subset can number.
    #[error("{n_pairs} pairs are more than a subset can number, at most {}", u32::MAX)]
    TooManyPairs {
        /// Pairs there are.
        n_pairs: usize,
    },
    /// A training stage failed.
    #[error("train the {stage}")]
    Train {
        /// `reference` or `oracle`.
        stage: &'static str,
        /// What happened.
        #[source]
        source: TrainError,
    },
    /// Stored log-probs could not be read or written.
    #[error("keep the reference's log-probs")]
    Artifact(#[from] ArtifactError),
    /// What an unfinished pass of the reference has left could not be read or written.
    #[error("keep the reference's log-probs")]
    Shards(#[from] ShardError),
}
