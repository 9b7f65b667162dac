//! Weights of one pair, as they were given.

/// A piece of a response text with its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedSpan {
    /// First byte or character.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Finite.
    pub weight: f64,
}

/// Weights of one response, as they were given.
#[derive(Debug, Clone, PartialEq)]
pub enum GivenWeights {
    /// One a response token, the closing end-of-sequence token included where there is one.
    Tokens(Vec<f64>),
    /// Pieces of the response text.
    Spans(Vec<WeightedSpan>),
}

/// Weights of one pair, as they were given.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenRow {
    /// Row in the file, from 0.
    pub file_row: u64,
    /// Row in the data, where the file names it.
    pub row: Option<u64>,
    /// The preferred response.
    pub chosen: GivenWeights,
    /// The dispreferred response.
    pub rejected: GivenWeights,
}
