//! What can be wrong with a checkpoint.

use std::io;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A file is missing or cannot be read.
    #[error("`{file}` cannot be read: {source}")]
    Unreadable {
        /// Name of the file.
        file: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not the one that was written.
    #[error("`{file}` has the hash {found}, not {expected}")]
    Hash {
        /// Name of the file.
        file: &'static str,
        /// blake3 noted when it was written.
        expected: String,
        /// blake3 of what is there.
        found: String,
    },
    /// The state is no JSON, or lacks a field.
    #[error("`state.json` cannot be understood: {0}")]
    State(serde_json::Error),
    /// The state belongs to another version of the format.
    #[error("its format is {found}, and this program reads {expected}")]
    Format {
        /// Version that was found.
        found: u32,
        /// Version that can be read.
        expected: u32,
    },
}
