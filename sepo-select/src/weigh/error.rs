//! Why weights could not be made.

use thiserror::Error;

/// Why weights could not be made of what was given.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum WeighError {
    /// Two lists that belong together have different lengths.
    #[error("{n_found} {found} for {n_expected} {expected}")]
    Length {
        /// What there is too much or too little of.
        found: &'static str,
        /// How many were given.
        n_found: usize,
        /// What it belongs to.
        expected: &'static str,
        /// How many there are of those.
        n_expected: usize,
    },
    /// A setting is outside the range in which it has a meaning.
    #[error("the setting `{setting}` is {value}; {needed}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        needed: &'static str,
    },
    /// A number is infinite or not a number.
    #[error("the {what} at index {index} is {value}, not a finite number")]
    NotFinite {
        /// What it is.
        what: &'static str,
        /// Its index.
        index: usize,
        /// The number found.
        value: f64,
    },
    /// A segment ends before it begins, or begins before the one before it has ended.
    #[error(
        "segment {index} is {start}..{end} after one that ends at {previous_end}: segments rise and do not overlap"
    )]
    SegmentOrder {
        /// Its index.
        index: usize,
        /// Its first byte.
        start: u32,
        /// One past its last byte.
        end: u32,
        /// One past the last byte of the segment before it.
        previous_end: u32,
    },
    /// Turns are asked for that are not there.
    #[error("turns {first}..{last} of {n_turns}")]
    NoSuchTurn {
        /// The first turn asked for.
        first: usize,
        /// One past the last.
        last: usize,
        /// How many there are.
        n_turns: usize,
    },
    /// The scaling vectors of a transport left the range of numbers.
    #[error(
        "the transport's scaling is not finite after {n_iterations} iterations; raise `reg` or lower `reg_m`"
    )]
    Diverged {
        /// Iterations made.
        n_iterations: usize,
    },
}

/// Nothing, where the setting is finite and `holds`.
pub(super) fn check(
    setting: &'static str,
    value: f64,
    holds: bool,
    needed: &'static str,
) -> Result<(), WeighError> {
    if value.is_finite() && holds { Ok(()) } else { Err(WeighError::Setting { setting, value, needed }) }
}

/// Nothing, where all numbers are finite.
pub(super) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), WeighError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(WeighError::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

/// Nothing, where there are as many as there should be.
pub(super) fn check_len(
    (found, n_found): (&'static str, usize),
    (expected, n_expected): (&'static str, usize),
) -> Result<(), WeighError> {
    if n_found == n_expected {
        Ok(())
    } else {
        Err(WeighError::Length { found, n_found, expected, n_expected })
    }
}
