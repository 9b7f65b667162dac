//! Where the tokens of a batch stand, as a device reads it

use crate::device::Plan;

/// The position of each token of a batch
///
/// Holding the value is the proof of how many positions a table must have. It is placed on the device once a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotaryPlan {
    words: Vec<u32>,
    n_positions: usize,
}

impl RotaryPlan {
    /// The plan of tokens at these positions
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::cuda::RotaryPlan;
    ///
    /// assert_eq!(RotaryPlan::new(vec![0, 1, 2, 1]).n_positions(), 3);
    /// ```
    #[must_use]
    pub fn new(positions: Vec<u32>) -> Self {
        let n_positions = positions.iter().max().map_or(0, |&last| last as usize + 1);
        Self { words: positions, n_positions }
    }

    /// Positions that a table must have: one more than the last
    #[must_use]
    pub fn n_positions(&self) -> usize {
        self.n_positions
    }
}

impl Plan for RotaryPlan {
    fn words(&self) -> &[u32] {
        &self.words
    }
}
