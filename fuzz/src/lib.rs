//! What the fuzz targets share.
//!
//! A target hands bytes to a reader and fails where the reader panics, takes longer than its limit or more memory than its
//! limit. Panics that a reader catches by itself and reports as an error (decoders of Parquet and Arrow give up that way)
//! are no failure, so the hook that aborts at every panic is replaced by [`watch`].

pub mod base;
mod mutate;
mod scratch;
mod watch;

pub use mutate::{file_of, json_of, mutated, patched};
pub use scratch::Scratch;
pub use watch::{describe, watch, watched};
