//! What became of the rows of a source.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Counts over what a source has read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SourceCounts {
    /// Rows read.
    pub n_rows: u64,
    /// Rows that are no pairs.
    pub n_bad: u64,
    /// Pairs that were there before, left out.
    pub n_duplicates: u64,
    /// Pairs of the other part of a split, left out.
    pub n_other_part: u64,
    /// Pairs that came out.
    pub n_pairs: u64,
    /// Of a mix: the pairs that each input gave, whichever part they belong to.
    pub inputs: Vec<u64>,
    /// Of a mix that ended because an input had no more pairs: the input.
    pub ended_by: Option<usize>,
}

/// The counts of a [`PairSource`](super::PairSource), for whoever has handed the source on.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<SourceCounts>>);

impl Tally {
    /// The counts so far. Where rows are read ahead, the counts are ahead, too; at the end they are the whole.
    #[must_use]
    pub fn counts(&self) -> SourceCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut SourceCounts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
