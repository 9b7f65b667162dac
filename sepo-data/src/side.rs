//! Which of a pair's two responses is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two responses of a pair.
///
/// # Examples
///
/// ```
/// use sepo_data::Side;
/// assert_eq!(Side::BOTH.map(|side| side.to_string()), ["chosen", "rejected"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The preferred response.
    Chosen,
    /// The dispreferred response.
    Rejected,
}

impl Side {
    /// Both sides in the order in which files and batches hold them.
    pub const BOTH: [Self; 2] = [Self::Chosen, Self::Rejected];

    /// `chosen` or `rejected`, the prefix of column names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
