//! Checkpoints: folders that are whole or not there, and the newest whole one found again.
//!
//! ```text
//! RUN/checkpoints/step-00000123/model.safetensors       weights, f32
//!                               optimizer.safetensors   both moments: `m.NAME`, `v.NAME`
//!                               state.json              everything else, and the hashes of the two files
//!                               state.json.b3           the hash of that
//!                               config.json             of the model, so that the folder is one that can be loaded
//! RUN/checkpoints/.lock                                 held while a run goes on
//! RUN/checkpoints/.tmp-…                                a write that is going on, or was killed
//! ```
//!
//! A folder is written under a temporary name, its files and itself flushed to the disk, then renamed: a crash at any
//! moment leaves the checkpoints before it as they were.

mod damage;
mod read;
mod state;
mod store;
mod sync;
mod tensors;
mod write;

pub use damage::Damage;
pub(crate) use read::{Resume, resume};
pub(crate) use state::State;
pub(crate) use store::Store;
pub use store::checkpoint_folder;
pub(crate) use sync::sync_folder;
pub(crate) use write::{Snapshot, write};

const MODEL_FILE: &str = "model.safetensors";
const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STATE_FILE: &str = "state.json";
const STATE_HASH_FILE: &str = "state.json.b3";
const CONFIG_FILE: &str = "config.json";
