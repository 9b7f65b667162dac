//! How many values a dictionary claims, which its decoder makes room for.

use parquet::basic::Type;
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

/// More values than the page has, or than are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) n_values: u64,
    pub(super) limit: u64,
}

/// Fewest bytes that a value of the column takes in plain encoding, which is that of dictionaries; 1 for a bit.
pub(super) fn least_bytes(column: &ColumnDescriptor) -> u64 {
    match column.physical_type() {
        Type::BOOLEAN => 1,
        // A text has its length before it.
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.type_length()).unwrap_or(0).max(1),
    }
}

/// Holds the count of a dictionary against its bytes.
pub(super) fn check(page: &Page, least_bytes: u64) -> Result<(), TooMany> {
    let Page::DictionaryPage { buf, num_values, .. } = page else { return Ok(()) };
    let (n_values, limit) = (u64::from(*num_values), buf.len() as u64 / least_bytes);
    if n_values > limit { Err(TooMany { n_values, limit }) } else { Ok(()) }
}
