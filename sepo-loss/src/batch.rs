//! What a loss is computed from.

use std::ops::Range;

use crate::error::{Input, Side};
use crate::grid::SequenceRows;

/// The rows of one preference pair in the flat arrays of a [`LossBatch`].
#[derive(Debug, Clone, PartialEq)]
pub struct PairRows {
    /// Rows of the preferred response.
    pub chosen: Range<usize>,
    /// Rows of the dispreferred response.
    pub rejected: Range<usize>,
    /// `k · |y|` of the preferred response; read by [`Normalizer::Nominal`](crate::Normalizer::Nominal) alone.
    pub chosen_nominal: f64,
    /// `k · |y|` of the dispreferred response; read by [`Normalizer::Nominal`](crate::Normalizer::Nominal) alone.
    pub rejected_nominal: f64,
}

impl PairRows {
    /// The rows of one side and its nominal token count.
    pub(crate) fn side(&self, side: Side) -> SequenceRows {
        match side {
            Side::Chosen => SequenceRows { rows: self.chosen.clone(), nominal: self.chosen_nominal },
            Side::Rejected => SequenceRows { rows: self.rejected.clone(), nominal: self.rejected_nominal },
        }
    }
}

/// The per-token numbers of a batch of pairs, flat, and where each pair's rows are.
///
/// An objective reads what its [`inputs`](crate::Objective::inputs) name; the rest may be left out.
///
/// # Which token an index names
///
/// Row `i` of the arrays belongs to one response token, and holds the log-probability of *that* token given all
/// before it; divergences are those of the distribution that it was drawn from. A pair's rows are in the order of its tokens. Rows may
/// be missing (a trainer that computes selected tokens only has no others); rows that no pair names are allowed and get a gradient of 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct LossBatch<'a> {
    /// The policy's log-probability of each row's token, in nats.
    pub logps: &'a [f64],
    /// The reference's log-probability of each row's token.
    pub reference_logps: Option<&'a [f64]>,
    /// `KL(π_ref ‖ π)` at each row, in nats.
    pub forward_kls: Option<&'a [f64]>,
    /// `KL(π ‖ π_ref)` at each row, in nats.
    pub reverse_kls: Option<&'a [f64]>,
    /// A reward of each token for [`TokenReward`](crate::TokenReward).
    pub token_rewards: Option<&'a [f64]>,
    /// `log Σ_v π(v)²` at each row.
    pub log_collisions: Option<&'a [f64]>,
    /// How far the teacher's logits are moved on at each row, above 0; see [`distillation`](crate::distillation).
    pub extrapolations: Option<&'a [f64]>,
    /// The segment that each row belongs to: neighbours of one number are one segment.
    pub segments: Option<&'a [u32]>,
    /// The weight of each row. Rows of weight 0 may hold anything, NaN included, unless weights are learned.
    pub weights: &'a [f64],
    /// The pairs.
    pub pairs: &'a [PairRows],
}

impl<'a> LossBatch<'a> {
    /// An array of numbers, where the batch has it.
    pub(crate) fn input(&self, input: Input) -> Option<&'a [f64]> {
        match input {
            Input::PolicyLogps => Some(self.logps),
            Input::ReferenceLogps => self.reference_logps,
            Input::ForwardKls => self.forward_kls,
            Input::ReverseKls => self.reverse_kls,
            Input::TokenRewards => self.token_rewards,
            Input::LogCollisions => self.log_collisions,
            Input::Extrapolations => self.extrapolations,
            Input::Weights => Some(self.weights),
            Input::Segments => None,
        }
    }
}
