//! The best tokens of a whole data set, exactly, in memory that does not depend on its size.
//!
//! Scores become 32-bit keys in whose order tokens are selected. One pass over the data counts keys by their upper half,
//! which tells in which of the 2^16 bins the last selected token lies; a second pass counts that bin's keys by their
//! lower half, which tells the last key itself and how many tokens with that key are selected; a third pass selects.

mod counter;
mod cut;
mod file;
mod histogram;
mod key;
mod selector;
mod strata;

pub use counter::{DataSetCounter, DataSetRefiner};
pub use cut::{DataSetCut, DataSetCuts, LengthCuts};
pub(crate) use file::selector;
pub use selector::DataSetSelector;
pub(crate) use strata::StrataSelector;
