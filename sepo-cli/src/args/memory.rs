//! How much memory a command may take.

use clap::Args;

use crate::memory::{ByteSize, Memory};

/// Flags of every command that holds data or a model.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct MemoryArgs {
    /// Keep to this much memory, such as `1GiB`: examples beyond an eighth of it lie on disk; what cannot fit is refused
    /// [default: examples beyond a quarter of what is free lie on disk]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory_limit: Option<ByteSize>,
}

impl MemoryArgs {
    pub(crate) fn memory(self) -> Memory {
        Memory::limited_to(self.memory_limit)
    }
}
