//! A data set as it is used: inputs mixed, pairs that repeat left out, some held out.
//!
//! [`PairSource`] reads what [`open_pairs`](crate::open_pairs) reads, in four layers, each of which may be absent:
//!
//! ```text
//!  inputs ──▶ mix ──▶ without duplicates ──▶ first N rows ──▶ one part of a split ──▶ rows
//! ```
//!
//! | layer | setting | decided by | memory |
//! |---|---|---|---|
//! | mix | [`Mix`] | weights and a seed | a reader an input |
//! | duplicates | [`Dedup`] | [`pair_hash`], the first one stays | 18 to 39 bytes a pair, beyond a bound on disk |
//! | split | [`EvalFraction`], [`Part`] | [`pair_hash`] alone | none |
//!
//! A row has the number at which it was read, whatever was left out before it, so numbers do not depend on the split.

mod dedup;
mod held_out;
mod mix;
mod pair_hash;
mod pair_source;
mod seen;
mod seen_file;
mod source_config;
mod tally;

pub use dedup::Dedup;
pub use held_out::{EvalFraction, EvalFractionError, Part};
pub use mix::{Mix, MixEnd};
pub use pair_hash::{PairHash, pair_hash};
pub use pair_source::PairSource;
pub use source_config::SourceConfig;
pub use tally::{SourceCounts, Tally};
