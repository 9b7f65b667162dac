//! What can be wrong with a file of examples.

use std::fmt;

/// What is wrong with a file of examples, or with one record of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordDamage {
    /// It is no file of examples.
    NotExamples,
    /// It was written by a version of the format that is not read here.
    Version {
        /// Version of the file.
        found: u32,
        /// Version that is read.
        expected: u32,
    },
    /// It is shorter or longer than its end says, or its end is missing.
    Size {
        /// Bytes of the file.
        n_bytes: u64,
    },
    /// Its end has another content hash than it says.
    Footer,
    /// The place of a record lies outside of the records.
    Place,
    /// A record has another content hash than it says.
    Hash,
    /// A record does not hold what it says.
    Layout,
}

impl fmt::Display for RecordDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotExamples => f.write_str("it is no file of examples"),
            Self::Version { found, expected } => {
                write!(f, "its format has version {found}, and {expected} is read")
            }
            Self::Size { n_bytes } => write!(f, "its {n_bytes} bytes are not what its end says"),
            Self::Footer => f.write_str("its end does not match its content hash"),
            Self::Place => f.write_str("its place lies outside of the records"),
            Self::Hash => f.write_str("it does not match its content hash"),
            Self::Layout => f.write_str("it does not hold what it says"),
        }
    }
}
