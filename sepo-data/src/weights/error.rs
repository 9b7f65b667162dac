//! What can be wrong with a file of weights.

use std::fmt;
use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use thiserror::Error;

use crate::{DataError, TableFault};

/// What a value is, for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenKind {
    /// A whole number from 0.
    Row,
    /// Numbers, or spans with a weight.
    Weights,
    /// A span with its weight.
    Span,
    /// A number.
    Number,
}

impl fmt::Display for GivenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row => "a whole number from 0",
            Self::Weights => "a list of numbers or of `{start, end, weight}`",
            Self::Span => "`{start, end, weight}` with whole numbers from 0 and a weight",
            Self::Number => "a number",
        })
    }
}

/// What is wrong with a file of weights.
///
/// `row` is the row's place in the *file*, from 0.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file cannot be opened, or its name does not say what it is.
    #[error(transparent)]
    Open(#[from] DataError),
    /// Files of this type hold no weights.
    #[error("`{}` is neither `.jsonl` nor `.parquet`, which weights are read from", path.display())]
    Container {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read on.
    #[error("cannot read row {row} of `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// Why.
        source: io::Error,
    },
    /// A line is no JSON object.
    #[error("row {row} of `{}` is no JSON object", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// The file is not readable as Parquet.
    #[error("`{}` is not a readable Parquet file", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// The file claims what is not so, or what is beyond what is read.
    #[error("`{}` cannot be read", path.display())]
    Bounds {
        /// The file.
        path: PathBuf,
        /// What it claims.
        source: TableFault,
    },
    /// The file's pages hold what no writer writes.
    #[error("`{}` is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A column is not there.
    #[error("row {row} of `{}` has no column `{column}`: name the column that holds {expected}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// The column.
        column: String,
        /// What it should hold.
        expected: GivenKind,
    },
    /// A value is something else than it should be.
    #[error("row {row} of `{}` has {found} in column `{column}` at index {index}, expected {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// The column.
        column: String,
        /// Index in the list, 0 for what is no list.
        index: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: GivenKind,
    },
    /// A span ends before it begins.
    #[error(
        "row {row} of `{}` has the span {start}..{end} in column `{column}` at index {index}, which ends before it begins",
        path.display()
    )]
    Backwards {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// The column.
        column: String,
        /// Index in the list.
        index: usize,
        /// First byte or character.
        start: u32,
        /// One past the last.
        end: u32,
    },
    /// A span reaches beyond the text.
    #[error("the span {start}..{end} at index {index} reaches beyond the text, which has {length} {unit}")]
    BeyondText {
        /// Index in the list.
        index: usize,
        /// First byte or character.
        start: u32,
        /// One past the last.
        end: u32,
        /// What the text has.
        length: usize,
        /// Of what.
        unit: &'static str,
    },
}
