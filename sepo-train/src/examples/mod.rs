//! Where examples lie: in memory, or in a file of which only what is asked for is in memory.
//!
//! [`Examples`] is what a run reads, wherever it lies. [`ExampleCollector`] takes examples one after the other and keeps
//! them in memory up to a bound, in an [`ExampleFile`] beyond it.

mod collector;
mod damage;
mod data_hash;
mod file;
mod footer;
mod positioned;
mod record;
mod view;
mod writer;

pub use collector::{ExampleCollector, HeldExamples, Spill};
pub use damage::RecordDamage;
pub(crate) use data_hash::data_hash;
pub use file::ExampleFile;
pub(crate) use positioned::PositionedFile;
pub use view::{Examples, Sides};
pub use writer::ExampleWriter;
