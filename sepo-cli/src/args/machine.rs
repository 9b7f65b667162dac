//! Where a command runs.

use std::num::NonZeroUsize;

use clap::Args;

/// Flags that every computing command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct MachineArgs {
    /// `cpu`, or `cuda` with an optional number [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Print the result as one JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

impl MachineArgs {
    pub(crate) fn form(&self) -> crate::console::Form {
        if self.json { crate::console::Form::Json } else { crate::console::Form::Human }
    }
}
