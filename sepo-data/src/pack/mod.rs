//! Several pairs in one flat run of tokens, without padding and with everything that two responses share stored once.
//!
//! A pair becomes up to three segments: a root of its prompt and the tokens with which both responses begin, and, as
//! children of it, what remains of each response. A token attends to its parent segment and to its own segment up to
//! itself, so the hidden states of the root are computed once and read by the rows of both sides.
//!
//! ```text
//!  pair      prompt p0 p1, chosen s0 c1 c2, rejected s0 r1 r2 r3
//!
//!  tokens    p0 p1 s0 | c1 | r1 r2 | q0 q1 | …
//!  segment       0    | 1  |   2   |   3   | …
//!  parent      none   | 0  |   0   | none  | …
//!  chosen    (p1→s0) (s0→c1) (c1→c2)                        hidden state of → target
//!  rejected  (p1→s0) (s0→r1) (r1→r2) (r2→r3)
//! ```

mod batch;
mod error;
mod item;
mod plan;

pub use batch::{PackedBatch, PackedPair};
pub use error::PackError;
pub use item::{PackItem, RowPolicy};
pub use plan::plan_batches;
