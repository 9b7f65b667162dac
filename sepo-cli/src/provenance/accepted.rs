//! Inputs that are not what a record says, and what becomes of them.

use serde::{Deserialize, Serialize};

use super::place::without_credentials;
use crate::console::warn;
use crate::exit::{CliError, Exit};

/// What happens where an input is not what a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnChange {
    /// It is refused.
    #[default]
    Refuse,
    /// It is used, said so, and recorded.
    Accept,
}

/// An input that was used although a record says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    /// What it was to the stage.
    pub(crate) role: String,
    /// Where it lay, as it was typed.
    pub(crate) path: String,
    /// What was different.
    pub(crate) differences: Vec<String>,
}

impl OnChange {
    /// An acceptance to record; an error where none was asked for. `what` names the thing and whose word it breaks:
    /// ``the oracle in `dir` is not what `sft` wrote there``.
    pub(crate) fn decide(
        self,
        what: &str,
        (role, path): (&str, &str),
        differences: Vec<String>,
    ) -> Result<Accepted, CliError> {
        let message = format!("{what}: {}", differences.join("; "));
        match self {
            Self::Refuse => Err(CliError::new(
                Exit::Data,
                message,
                "bring the recorded content back, or make it again; `--accept-changed` goes on with what is there and records that",
            )),
            Self::Accept => {
                warn(format!("{message}; accepted"));
                Ok(Accepted { role: role.to_owned(), path: without_credentials(path), differences })
            }
        }
    }
}
