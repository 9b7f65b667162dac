//! What ends the reading or writing of an input.

use std::io;
use std::path::PathBuf;

use crate::format::{BadRow, FoundColumn, PairFormat};
use crate::{RemoteError, TableFault};

/// A failure that ends the reading or writing of an input: nothing after it can be trusted.
///
/// What concerns a single row is a [`BadReason`](crate::BadReason), and reading goes on behind it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A named file or folder does not exist.
    #[error("`{}` does not exist", path.display())]
    NotFound {
        /// What was named.
        path: PathBuf,
    },
    /// A glob pattern is malformed.
    #[error("`{pattern}` is not a glob pattern")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// Where it is malformed.
        source: glob::PatternError,
    },
    /// A glob pattern fits no file.
    #[error("`{pattern}` fits no file")]
    NoMatch {
        /// The pattern as given.
        pattern: String,
    },
    /// No input was named at all.
    #[error("no input is named")]
    NoInputs,
    /// A folder or file could not be listed or opened.
    #[error("cannot open `{}`", path.display())]
    Open {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder holds no file that could hold pairs.
    #[error(
        "`{}` holds no data file; looked for .parquet, .arrow, .feather, .jsonl and .json (also .gz, .zst) in it, in its `data` folder and one folder down",
        folder.display()
    )]
    NoDataFiles {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder does not have the split that was asked for.
    #[error("`{}` has no split `{split}`; it has {}", folder.display(), quoted(available))]
    UnknownSplit {
        /// The folder.
        folder: PathBuf,
        /// The split that was asked for.
        split: String,
        /// The splits it has.
        available: Vec<String>,
    },
    /// A folder has several splits, none of them `train` or `train_prefs`, and none was asked for.
    #[error("`{}` has several splits, name one of {}", folder.display(), quoted(available))]
    SplitNeeded {
        /// The folder.
        folder: PathBuf,
        /// The splits it has.
        available: Vec<String>,
    },
    /// A split was asked for, and no input is a folder, which alone has splits.
    #[error("split `{split}` was asked for, and only folders have splits: {} is none", quoted(inputs))]
    SplitOfFiles {
        /// The split that was asked for.
        split: String,
        /// The inputs as given.
        inputs: Vec<String>,
    },
    /// A file's name does not say what it is.
    #[error(
        "cannot tell what `{}` is; known endings are .parquet, .arrow, .feather, .ipc, .jsonl, .ndjson and .json, each also with .gz or .zst",
        file.display()
    )]
    UnknownExtension {
        /// The file.
        file: PathBuf,
    },
    /// Bytes could not be read or decompressed; a truncated `.gz` or `.zst` ends here.
    #[error("cannot read on in `{}` after row {row}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Rows of this file read before.
        row: u64,
        /// What the system or the decompressor said.
        source: io::Error,
    },
    /// A Parquet file's footer cannot be read.
    #[error("`{}` is not a readable Parquet file", file.display())]
    ParquetFooter {
        /// The file.
        file: PathBuf,
        /// What the Parquet reader said.
        source: parquet::errors::ParquetError,
    },
    /// A page of a Parquet file cannot be read.
    #[error("cannot read row group {row_group} of `{}` after row {row}", file.display())]
    ParquetPage {
        /// The file.
        file: PathBuf,
        /// The row group, from 0.
        row_group: usize,
        /// Rows of this file read before.
        row: u64,
        /// What the Parquet reader said.
        source: arrow::error::ArrowError,
    },
    /// A Parquet file claims what is not so, or what is beyond what is read.
    #[error("cannot read on in `{}` after row {row}", file.display())]
    ParquetBounds {
        /// The file.
        file: PathBuf,
        /// Rows of this file read before.
        row: u64,
        /// What it claims.
        source: TableFault,
    },
    /// The Parquet or Arrow reader gave up in the middle of a corrupt file without naming a cause.
    #[error("`{}` is corrupt: its decoder gave up after row {row}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Rows of this file read before.
        row: u64,
    },
    /// An Arrow IPC file's or stream's header cannot be read.
    #[error("`{}` is not a readable Arrow IPC file or stream", file.display())]
    ArrowHeader {
        /// The file.
        file: PathBuf,
        /// What the Arrow reader said.
        source: arrow::error::ArrowError,
    },
    /// A record batch of an Arrow IPC file or stream cannot be read.
    #[error("cannot read record batch {batch} of `{}` after row {row}", file.display())]
    ArrowBatch {
        /// The file.
        file: PathBuf,
        /// The record batch, from 0.
        batch: usize,
        /// Rows of this file read before.
        row: u64,
        /// What the Arrow reader said.
        source: arrow::error::ArrowError,
    },
    /// A JSON array ends before its closing bracket.
    #[error("`{}` ends inside its JSON array, in row {row} that starts on line {line}", file.display())]
    UnclosedArray {
        /// The file.
        file: PathBuf,
        /// The row that is cut off, from 0.
        row: u64,
        /// Line on which that row starts, from 1.
        line: u64,
    },
    /// Something follows the closing bracket of a JSON array.
    #[error("`{}` goes on after its JSON array, on line {line}, column {column}", file.display())]
    TrailingData {
        /// The file.
        file: PathBuf,
        /// Line of the first byte too many, from 1.
        line: u64,
        /// Column (in bytes) of the first byte too many, from 1.
        column: u64,
    },
    /// The inputs hold no row at all.
    #[error("the input holds no rows: {}", quoted_paths(files))]
    NoRows {
        /// The files that were read.
        files: Vec<PathBuf>,
    },
    /// None of the first rows of a file could be read, so its format cannot be told.
    #[error("none of the first {n_rows} rows of `{}` is readable; row {}: {}", file.display(), first.row, first.reason)]
    NoUsableRow {
        /// The file.
        file: PathBuf,
        /// Rows that were tried.
        n_rows: usize,
        /// The first of them and what is wrong with it.
        first: Box<BadRow>,
    },
    /// The columns of a file fit no known format.
    #[error(
        "the columns of `{}` fit no known format: it has {}. Each format needs:\n{}{}",
        file.display(),
        FoundColumn::list(columns),
        PairFormat::needs_table(),
        if *strings_without_prompt {
            "\n`chosen` and `rejected` are strings without a prompt, and where a prompt ends inside a string is not guessed: add a `prompt` column, or name it"
        } else {
            "\nRename the columns, or say which are the prompt, the chosen and the rejected response"
        }
    )]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// Its columns, with what the first rows hold in those that were looked at.
        columns: Vec<FoundColumn>,
        /// Whether the only thing missing is a prompt beside two strings.
        strings_without_prompt: bool,
    },
    /// Two files of one input hold different formats.
    #[error(
        "`{}` holds {found} rows, but `{}` holds {first} rows; read them one after the other, or convert one",
        file.display(), first_file.display()
    )]
    MixedFormats {
        /// The first file with rows.
        first_file: PathBuf,
        /// Its format.
        first: PairFormat,
        /// The file that differs.
        file: PathBuf,
        /// Its format.
        found: PairFormat,
    },
    /// Pairs were asked for and the input holds plain text.
    #[error("`{}` holds plain text, not pairs", file.display())]
    NotPairs {
        /// The file.
        file: PathBuf,
    },
    /// Plain text was asked for and the input holds pairs.
    #[error("`{}` holds {format} pairs, not plain text", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
        /// The format that it holds.
        format: PairFormat,
    },
    /// The name of a file to be written does not say how, or says a container that is only read.
    #[error("cannot write `{}`: pairs are written as .parquet, .jsonl, .jsonl.gz or .jsonl.zst", file.display())]
    UnwritableExtension {
        /// The file.
        file: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write `{}`", file.display())]
    Write {
        /// The file that was to be written; what stood there is untouched.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A Parquet file could not be written.
    #[error("cannot write `{}`", file.display())]
    WriteParquet {
        /// The file that was to be written; what stood there is untouched.
        file: PathBuf,
        /// What the Parquet writer said.
        source: parquet::errors::ParquetError,
    },
    /// Pairs of different content (text, conversations, ids) were to be written to one file.
    #[error("cannot write a {found} pair behind {first} pairs in `{}`", file.display())]
    MixedContent {
        /// The file that was to be written; what stood there is untouched.
        file: PathBuf,
        /// The format that the first pair set.
        first: PairFormat,
        /// The format that the pair at fault would have.
        found: PairFormat,
    },
    /// What a URL names could not be had.
    #[error("cannot fetch `{url}`")]
    Remote {
        /// The URL without credentials.
        url: String,
        /// Why.
        source: RemoteError,
    },
    /// One file or folder was wanted, and a URL stands for several.
    #[error("`{url}` stands for several files, and one is needed")]
    NotOne {
        /// The URL without credentials.
        url: String,
    },
    /// A mix has another number of weights than of inputs, or nothing to mix.
    #[error(
        "a mix of {n_inputs} inputs has {n_weights} weights: it needs two inputs or more, and one weight for each, in their order"
    )]
    MixCount {
        /// Weights given.
        n_weights: usize,
        /// Inputs given.
        n_inputs: usize,
    },
    /// A weight of a mix is no share.
    #[error("weight {weight} of input {input} of the mix is not a finite number above 0")]
    MixWeight {
        /// The input, from 0.
        input: usize,
        /// Its weight.
        weight: f64,
    },
    /// The hashes of pairs could not be kept on disk.
    #[error("cannot keep the hashes of pairs in a file in `{}`", dir.display())]
    Hashes {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Names in backticks, separated by commas.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Paths in backticks, separated by commas.
fn quoted_paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ")
}
