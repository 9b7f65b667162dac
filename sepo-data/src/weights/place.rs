//! Where in a file of weights something stands.

use std::fmt::Display;
use std::path::PathBuf;

use super::{GivenKind, WeightedSpan, WeightsError};

/// A column of a row, for errors to name.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a PathBuf,
    pub(super) row: u64,
    pub(super) column: &'a str,
}

/// Most characters of a value that an error shows.
const SHOWN: usize = 60;

impl Place<'_> {
    pub(super) fn missing(self, expected: GivenKind) -> WeightsError {
        let Self { path, row, column } = self;
        WeightsError::MissingColumn { path: path.clone(), row, column: column.to_owned(), expected }
    }

    pub(super) fn value(self, index: usize, found: &dyn Display, expected: GivenKind) -> WeightsError {
        let Self { path, row, column } = self;
        let whole = found.to_string();
        let mut found: String = whole.chars().take(SHOWN).collect();
        if found.len() < whole.len() {
            found.push('…');
        }
        WeightsError::Value { path: path.clone(), row, column: column.to_owned(), index, found, expected }
    }

    /// The span, which does not end before it begins.
    pub(super) fn span(self, index: usize, span: WeightedSpan) -> Result<WeightedSpan, WeightsError> {
        let WeightedSpan { start, end, .. } = span;
        if start <= end {
            return Ok(span);
        }
        let Self { path, row, column } = self;
        let (path, column) = (path.clone(), column.to_owned());
        Err(WeightsError::Backwards { path, row, column, index, start, end })
    }
}
