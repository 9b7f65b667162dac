//! How much of a projection arrived.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// How much of a projection arrived. Add several up for a data set's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Coverage {
    /// Tokens that values came from.
    pub n_source: u64,
    /// Tokens that values went to.
    pub n_target: u64,
    /// Target tokens that stand for just the bytes that a source token stands for.
    pub n_same: u64,
    /// Target tokens that no source token shares a byte with: their value is 0.
    pub n_uncovered: u64,
    /// Source tokens that share no byte with a target token: their value is lost.
    pub n_lost: u64,
    /// Sum of |value| over the source tokens.
    pub source_mass: f64,
    /// Sum of |value| over the lost source tokens.
    pub lost_mass: f64,
    /// Sum of |value| over the target tokens.
    pub target_mass: f64,
}

impl Coverage {
    /// The share of target tokens that some source token covers; `None` without target tokens.
    #[must_use]
    pub fn covered_share(&self) -> Option<f64> {
        (self.n_target > 0).then(|| (self.n_target - self.n_uncovered) as f64 / self.n_target as f64)
    }

    /// The share of target tokens that are the source's own; `None` without target tokens.
    #[must_use]
    pub fn same_share(&self) -> Option<f64> {
        (self.n_target > 0).then(|| self.n_same as f64 / self.n_target as f64)
    }

    /// The share of the source's mass that is lost; `None` where there is none.
    #[must_use]
    pub fn lost_share(&self) -> Option<f64> {
        (self.source_mass > 0.0).then(|| self.lost_mass / self.source_mass)
    }
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.n_source += other.n_source;
        self.n_target += other.n_target;
        self.n_same += other.n_same;
        self.n_uncovered += other.n_uncovered;
        self.n_lost += other.n_lost;
        self.source_mass += other.source_mass;
        self.lost_mass += other.lost_mass;
        self.target_mass += other.target_mass;
    }
}
