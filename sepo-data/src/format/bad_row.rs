//! A row that cannot be used.

use std::path::PathBuf;

use crate::BadReason;

/// A row that holds no usable pair or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The file that holds it.
    pub file: PathBuf,
    /// Row within that file, from 0.
    pub row: u64,
    /// What is wrong with it.
    pub reason: BadReason,
}
