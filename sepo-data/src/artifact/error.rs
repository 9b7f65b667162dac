//! What can be wrong with an artifact.

use std::io;
use std::path::PathBuf;

use arrow::datatypes::DataType;
use parquet::errors::ParquetError;
use thiserror::Error;

use crate::TableFault;

/// What is wrong with an artifact, or kept it from being written.
///
/// `row` is the row's place in the *file*, from 0; the source row stands in the file's own `row` column.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// A file cannot be opened or read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be created, or not be put under its final name.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not readable as Parquet, or its pages cannot be written or decoded.
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
    /// Rows could not be put into Parquet.
    #[error("cannot encode rows for `{}`", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// A column of the schema is missing.
    #[error("`{}` has no column `{column}` of type {expected}", path.display())]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// The type that the schema gives it.
        expected: &'static str,
    },
    /// A column has another type than the schema's.
    #[error("column `{column}` of `{}` has type {found}, expected {expected}", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// The type that the schema gives it.
        expected: &'static str,
        /// The type found.
        found: Box<DataType>,
    },
    /// A value, or one inside a list, is null.
    #[error("row {row} of `{}` has a null in column `{column}`, expected {expected}", path.display())]
    Null {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// The column.
        column: &'static str,
        /// What should stand there.
        expected: &'static str,
    },
    /// A list is not as long as the ids it belongs to.
    #[error("row {row} of `{}` has {found} values in column `{column}`, expected {expected}", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// The column.
        column: &'static str,
        /// Values found.
        found: usize,
        /// Tokens of that side.
        expected: usize,
    },
    /// A weight is infinite or not a number.
    #[error("row {row} of `{}` has the weight {weight} at token {token} of column `{column}`", path.display())]
    NonFiniteWeight {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// The column.
        column: &'static str,
        /// Response token, from 0.
        token: usize,
        /// The weight found.
        weight: f32,
    },
    /// A single row group would hold more values than 32-bit list offsets reach.
    #[error("row {row} of `{}` has too many values in column `{column}`", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Row in the file.
        row: u64,
        /// The column.
        column: &'static str,
    },
    /// The file has no `sepo` key-value metadata.
    #[error("`{}` has no key-value metadata under `sepo`", path.display())]
    MissingMeta {
        /// The file.
        path: PathBuf,
    },
    /// The `sepo` metadata is not the JSON expected.
    #[error("the `sepo` metadata of `{}` is not as expected", path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The values are not those that were written.
    #[error(
        "the values of `{}` have the checksum {found}, but {expected} was written: the file has been damaged or changed; run the stage that wrote it again",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The checksum in the file's metadata.
        expected: String,
        /// The checksum of the values read.
        found: String,
    },
}
