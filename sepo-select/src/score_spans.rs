//! The byte spans of a selection's tokens, from the scores it was made of.

use std::path::Path;

use sepo_data::{ArtifactError, ScoredPair, ScoresMeta, ScoresReader, SelectedPair, Span};
use thiserror::Error;

/// Why the spans of a selection's tokens are not known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpansError {
    /// The scores cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A row of the selection is not in the scores, or not in their order.
    #[error("row {row} of the selection is not in the scores: they are others than it was made of")]
    NoSuchRow {
        /// Row in the source.
        row: u64,
    },
    /// A row has other ids.
    #[error(
        "row {row} has other token ids in the scores than in the selection: they are others than it was made of"
    )]
    OtherIds {
        /// Row in the source.
        row: u64,
    },
    /// The scores were made of ids alone.
    #[error("row {row} has no text in the scores, which were made of token ids alone")]
    NoText {
        /// Row in the source.
        row: u64,
    },
}

/// The spans of a selection's tokens, pair by pair: chosen, then rejected.
///
/// Reads a `scores.parquet` once, along with the selection.
pub struct ScoreSpans(ScoresReader);

impl ScoreSpans {
    /// The scores at `path`.
    ///
    /// # Errors
    ///
    /// [`SpansError::Artifact`]: they cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SpansError> {
        Ok(Self(ScoresReader::open(path)?))
    }

    /// What the scores say about their origin.
    #[must_use]
    pub fn meta(&self) -> &ScoresMeta {
        self.0.meta()
    }

    /// The spans of the next pair of the selection; pairs come in its order.
    ///
    /// # Errors
    ///
    /// [`SpansError`], one variant for each reason.
    pub fn of(&mut self, pair: &SelectedPair) -> Result<[Vec<Span>; 2], SpansError> {
        let row = pair.row;
        for scored in self.0.by_ref() {
            let ScoredPair { row: found, prompt_ids, chosen, rejected } = scored?;
            if found < row {
                continue;
            }
            if found > row {
                break;
            }
            let ids = (&prompt_ids, &chosen.ids, &rejected.ids);
            if ids != (&pair.prompt_ids, &pair.chosen_ids, &pair.rejected_ids) {
                return Err(SpansError::OtherIds { row });
            }
            return match (chosen.spans, rejected.spans) {
                (Some(chosen), Some(rejected)) => Ok([chosen, rejected]),
                _ => Err(SpansError::NoText { row }),
            };
        }
        Err(SpansError::NoSuchRow { row })
    }
}
