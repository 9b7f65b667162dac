//! Decoders of corrupt files, kept from taking the program down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::DataError;

/// What `decode` returns; if it panics, [`DataError::Corrupt`].
///
/// The Parquet and Arrow decoders check most of what they read, but some corrupt pages still trip an assertion in
/// them. After an error nothing is read from the decoder again, so that it may be left half changed.
pub(super) fn guarded<T>(path: &Path, row: u64, decode: impl FnOnce() -> T) -> Result<T, DataError> {
    catch_unwind(AssertUnwindSafe(decode)).map_err(|_| DataError::Corrupt { file: path.to_owned(), row })
}
