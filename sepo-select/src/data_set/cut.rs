//! Where a data set's tokens part into selected ones and others.

use serde::{Deserialize, Serialize};

/// Where one side's candidates part into selected ones and others.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSetCut {
    /// Candidates of the side in the data set.
    pub n_candidates: u64,
    /// Those that are selected, in pairs that are dropped too.
    pub n_selected: u64,
    /// The score of the last one selected: of chosen tokens the least, of rejected ones the greatest; for `salience` the
    /// least absolute value. Exact, so that it may serve as a threshold. `None` where nothing is selected, or at random.
    pub score: Option<f64>,
    /// Candidates with just this score that are not selected, since they come after others that have it too.
    pub n_ties_left: u64,
}

/// Where both sides of a data set part.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSetCuts {
    /// The chosen responses.
    pub chosen: DataSetCut,
    /// The rejected responses.
    pub rejected: DataSetCut,
}

/// Where the responses of about one length part.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LengthCuts {
    /// Tokens of the shortest responses among them; those of the longest are less than twice as many.
    pub from_tokens: u64,
    /// Where they part.
    pub cuts: DataSetCuts,
}
