//! An artifact in the making, in shards that survive whatever ends the process.
//!
//! A folder holds the shards that are done, `part-00000.parquet` and so on, each an artifact of its own, and
//! `manifest.json`: the identity of the run, and for each shard its place in the source and the BLAKE3 hash of its
//! bytes. Both appear under their names only when complete and flushed, the shard first. So after a crash at any moment
//! the manifest names shards that are whole, or that the hash tells to be damaged; those are made again.

mod error;
mod manifest;
mod places;
mod store;

pub use error::ShardError;
pub use manifest::Shard;
pub use store::{OtherRun, ShardStore};
