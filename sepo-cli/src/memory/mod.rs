//! How much memory a command may take, and what it would need.

mod available;
mod budget;
mod byte_size;

pub(crate) use budget::Memory;
pub(crate) use byte_size::ByteSize;
