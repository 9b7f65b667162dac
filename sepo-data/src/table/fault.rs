//! What a Parquet file claims that is not so, or is beyond what is read.

/// Why a Parquet file is not read, though nothing of it has been decoded yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableFault {
    /// The footer is cut off, or not structured as Parquet's is.
    #[error("the footer is damaged at byte {at} of its {n_bytes}; write the file again")]
    Footer {
        /// Where its structure ends.
        at: usize,
        /// Its length.
        n_bytes: usize,
    },
    /// A column is nested deeper than is read.
    #[error("the schema nests {depth} levels deep, at most {limit} are read")]
    Nesting {
        /// Levels found, or the first too many.
        depth: usize,
        /// Levels that are read.
        limit: usize,
    },
    /// The row groups do not add up to the rows of the file.
    #[error("the footer claims {claimed} rows, but its row groups have {found}; write the file again")]
    RowCount {
        /// Rows by the footer.
        claimed: i64,
        /// Rows of all row groups.
        found: i128,
    },
    /// A column chunk points outside the file.
    #[error(
        "column `{column}` of row group {row_group} lies outside the file, which has {n_bytes} bytes; it may be cut off"
    )]
    Chunk {
        /// The column.
        column: String,
        /// The row group, from 0.
        row_group: usize,
        /// Length of the file.
        n_bytes: u64,
    },
    /// A page's header cannot be read.
    #[error(
        "column `{column}` of row group {row_group} has a damaged page at byte {at} of the file; write the file again"
    )]
    Page {
        /// The column.
        column: String,
        /// The row group, from 0.
        row_group: usize,
        /// Where its header starts.
        at: u64,
    },
    /// A page is larger than is read.
    #[error(
        "column `{column}` has a page of {n_bytes} bytes, at most {limit} are read; write the file with smaller pages"
    )]
    PageSize {
        /// The column.
        column: String,
        /// Decompressed bytes that the page claims.
        n_bytes: u64,
        /// Bytes that are read.
        limit: u64,
    },
    /// A row group's pages have fewer values than it has rows.
    #[error(
        "row group {row_group} claims {n_rows} rows, but the pages of column `{column}` hold {n_values} values; write the file again"
    )]
    Values {
        /// The column.
        column: String,
        /// The row group, from 0.
        row_group: usize,
        /// Rows by the footer.
        n_rows: i64,
        /// Values of all pages.
        n_values: u64,
    },
    /// A page claims more values than it has, or than are read.
    #[error(
        "column `{column}` has a page that claims {n_values} values, of which at most {limit} are read; write the file again, with smaller pages"
    )]
    PageValues {
        /// The column.
        column: String,
        /// Values that the page claims.
        n_values: u64,
        /// Values that are read: as many as its bytes or its header have room for, up to a bound.
        limit: u64,
    },
    /// A single row holds more values than are read.
    #[error("a row of column `{column}` holds more than {limit} values; split it, or take it out")]
    RowLength {
        /// The column.
        column: String,
        /// Values that are read.
        limit: u64,
    },
}
