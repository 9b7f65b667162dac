//! Why no score came back.

use sepo_data::{ArtifactError, PackError, ShardError, Side};
use sepo_model::ModelError;

/// Errors of scoring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// Oracle and reference hold the same weights, so every score would be 0.
    #[error("oracle and reference hold the same weights (blake3 {hash}); every score would be 0")]
    SameWeights {
        /// Content hash of both.
        hash: String,
    },
    /// The two models do not share a vocabulary.
    #[error(
        "the oracle's vocabulary has {oracle} entries, the reference's {reference}; both must read the same ids"
    )]
    Vocabulary {
        /// Rows of the oracle's embedding.
        oracle: usize,
        /// Rows of the reference's embedding.
        reference: usize,
    },
    /// A pair has no prompt token, so nothing predicts the first tokens of its responses.
    #[error("row {row} has an empty prompt and no BOS token: nothing predicts its first response token")]
    NoContext {
        /// Row in the source.
        row: u64,
    },
    /// A log-probability is not a finite number.
    #[error("row {row}, {side} token {token}: the {model}'s log-probability is {value}")]
    NonFinite {
        /// Row in the source.
        row: u64,
        /// Which response.
        side: Side,
        /// Index within the response.
        token: usize,
        /// `oracle` or `reference`.
        model: &'static str,
        /// What came out.
        value: f64,
    },
    /// A pair cannot be laid out.
    #[error("lay out a batch of pairs")]
    Pack(#[from] PackError),
    /// A model could not run.
    #[error("run the {model}")]
    Model {
        /// `oracle` or `reference`.
        model: &'static str,
        /// What it met.
        #[source]
        source: ModelError,
    },
    /// The scores could not be written.
    #[error("write scores")]
    Artifact(#[from] ArtifactError),
    /// The shards of the scores cannot be used.
    #[error(transparent)]
    Shards(#[from] ShardError),
}
