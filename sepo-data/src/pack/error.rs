//! Why items could not be packed.

use thiserror::Error;

use crate::Side;

/// Why items could not be packed. `row` is always the item's row in the source.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum PackError {
    /// A side has more or fewer weights than tokens.
    #[error("row {row} has {n_weights} {side} weights for {n_tokens} tokens")]
    WeightCount {
        /// Row in the source.
        row: u64,
        /// The response at fault.
        side: Side,
        /// Weights given.
        n_weights: usize,
        /// Tokens of the response.
        n_tokens: usize,
    },
    /// A weight is infinite or not a number.
    #[error("row {row} has the {side} weight {weight} at response token {token}")]
    NonFiniteWeight {
        /// Row in the source.
        row: u64,
        /// The response at fault.
        side: Side,
        /// Response token, from 0.
        token: usize,
        /// The weight found.
        weight: f32,
    },
    /// The first response token has a weight, but there is no prompt whose hidden state could predict it.
    #[error("row {row} has no prompt, so its first {side} token cannot have the weight {weight}")]
    WeightWithoutPrompt {
        /// Row in the source.
        row: u64,
        /// The response at fault.
        side: Side,
        /// The weight found.
        weight: f32,
    },
    /// [`RowPolicy::Everything`](super::RowPolicy::Everything) met an item with two responses.
    #[error("row {row} has {n_tokens} rejected tokens, but language modelling takes one sequence an item")]
    TwoSequences {
        /// Row in the source.
        row: u64,
        /// Tokens of the rejected response.
        n_tokens: usize,
    },
    /// The batch has more tokens than a row's 32-bit position can name.
    #[error("row {row} brings the batch to {n_tokens} tokens, more than 32-bit positions can name")]
    TooManyTokens {
        /// Row in the source at which the limit was crossed.
        row: u64,
        /// Tokens up to and including that item.
        n_tokens: usize,
    },
}
