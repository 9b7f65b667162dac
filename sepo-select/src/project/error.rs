//! Why values could not be carried over.

use thiserror::Error;

/// Why values could not be carried over.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// There are more or fewer values than tokens.
    #[error("{n_values} values for {n_tokens} tokens")]
    Length {
        /// Values given.
        n_values: usize,
        /// Spans given.
        n_tokens: usize,
    },
    /// A value is infinite or not a number.
    #[error("token {token} has the value {value}, not a finite number")]
    NotFinite {
        /// Token, from 0.
        token: usize,
        /// The value found.
        value: f64,
    },
    /// A span ends before it begins.
    #[error("token {token} has the span {start}..{end}, which ends before it begins")]
    Backwards {
        /// Token, from 0.
        token: usize,
        /// First byte.
        start: u32,
        /// One past the last byte.
        end: u32,
    },
}
