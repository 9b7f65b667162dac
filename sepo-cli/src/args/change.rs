//! What happens where an input is not what a record says.

use clap::Args;

use crate::provenance::OnChange;

/// Flags of every command whose inputs have records.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct ChangeArgs {
    /// Go on where an input is not what its record says (`sepo.json`, `NAME.sepo.json`, `stage.json`, the metadata of scores
    /// and selections), and record that
    #[arg(long)]
    pub(crate) accept_changed: bool,
}

impl ChangeArgs {
    pub(crate) fn on_change(self) -> OnChange {
        if self.accept_changed { OnChange::Accept } else { OnChange::Refuse }
    }
}
