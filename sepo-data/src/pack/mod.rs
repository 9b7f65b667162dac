//! Several pairs in one flat run of tokens, without padding and with every prompt stored once.
//!
//! A pair becomes up to three segments: its prompt and, as children of it, its two responses. A token attends to its
//! parent segment and to its own segment up to itself, so both responses share the prompt's computation.
//!
//! ```text
//!  tokens    p0 p1 p2 | c0 c1 | r0 r1 r2 | q0 q1 | …
//!  segment       0    |   1   |    2     |   3   | …
//!  parent      none   |   0   |    0     | none  | …
//!  rows      (p2→c0) (c0→c1) (c1→c2) (p2→r0) (r0→r1) …      hidden state of → target
//! ```

mod batch;
mod error;
mod item;
mod plan;

pub use batch::{PackedBatch, PackedPair};
pub use error::PackError;
pub use item::{PackItem, RowPolicy};
pub use plan::plan_batches;
