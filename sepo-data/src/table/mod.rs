//! Parquet files, read within bounds whatever they claim.
//!
//! The Parquet reader believes a file: it allocates what a list in the footer, a page header or a run of levels says, and a
//! failed allocation ends the program where a panic could be caught. A few bytes can claim petabytes. So everything that
//! decides about memory is looked at first: the footer's structure ([`footer`]), the pages' sizes ([`page`]), and the rows'
//! lengths and the counts of values while pages pass by ([`levels`], [`delta`], [`dictionary`]).
//!
//! | bound | value |
//! |---|---|
//! | bytes of a decompressed page | [`MAX_PAGE_BYTES`] |
//! | values of one row in one list column | [`MAX_ROW_VALUES`] |
//! | levels of nesting of a column | [`MAX_NESTING`] |

mod compact;
mod delta;
mod dictionary;
mod fault;
mod footer;
mod group;
mod layout;
mod levels;
mod page;
mod rows;

pub use fault::TableFault;
pub(crate) use rows::{Table, TableError, TableRows};

/// Most bytes of a decompressed page. Writers make pages of about a megabyte.
const MAX_PAGE_BYTES: u64 = 256 << 20;
/// Most values of one row in one list column, such as the tokens of a response.
const MAX_ROW_VALUES: u64 = 1 << 20;
/// Most levels of nesting of a column.
const MAX_NESTING: usize = 32;
