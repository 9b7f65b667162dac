//! Shards of an earlier run that cannot be used, and what to do about them.

use std::error::Error;

use sepo_data::ShardError;

use crate::exit::{CliError, Exit};

impl From<ShardError> for CliError {
    fn from(error: ShardError) -> Self {
        let exit = match &error {
            ShardError::OtherRun { .. } => Exit::Usage,
            ShardError::Manifest { .. }
            | ShardError::Layout { .. }
            | ShardError::Places { .. }
            | ShardError::OtherEnd { .. }
            | ShardError::Unmade { .. } => Exit::Data,
            _ => return Self::of(Exit::Data, error),
        };
        let mut text = error.to_string();
        if let Some(cause) = error.source() {
            text += &format!(": {cause}");
        }
        Self::new(
            exit,
            text,
            "use `--restart` to remove these shards and score everything anew, or choose another `--out`",
        )
    }
}
