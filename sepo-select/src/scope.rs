//! Of what a share is taken.

use serde::{Deserialize, Serialize};

/// Of what a rule's share is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Of each response: every response keeps as good a share as any other.
    #[default]
    Response,
    /// Of all candidates of that side in the data set: a response keeps as many as it has of the best of all, which may be
    /// none. See [`DataSetCounter`](crate::DataSetCounter).
    DataSet,
}

impl Scope {
    /// The scope's name, as the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::DataSet => "data-set",
        }
    }
}
