//! Of what a share is taken.

use serde::{Deserialize, Serialize};

/// Of what a rule's share is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Of each response: every response keeps as good a share as any other.
    #[default]
    Response,
    /// Of all candidates of that side in as many pairs that follow each other: a response keeps as many as it has of the
    /// best of these, which may be none. See [`select_batch`](crate::select_batch).
    Batch {
        /// Pairs taken together, above 0; the last batch may have fewer.
        n_pairs: usize,
    },
    /// Of all candidates of that side in the data set: a response keeps as many as it has of the best of all, which may be
    /// none. See [`DataSetCounter`](crate::DataSetCounter).
    DataSet,
    /// The same among responses of that side that are about as long: from 2^i to 2^(i + 1) − 1 tokens. Long responses, whose
    /// scores are often smaller, then do not compete with short ones.
    Length,
}

impl Scope {
    /// The scope's name, as the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Batch { .. } => "batch",
            Self::DataSet => "data-set",
            Self::Length => "length",
        }
    }
}
