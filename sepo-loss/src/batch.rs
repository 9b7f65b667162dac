//! What a loss is computed from, and the door where it is checked.

use std::ops::Range;

use crate::composition::Weighting;
use crate::error::{Input, LossError, Side};
use crate::grid::SequenceRows;
use crate::layout::PairLayout;
use crate::objective::Objective;
use crate::reduction::Reduction;

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

/// A batch that has passed every check, with its layout.
pub(crate) struct CheckedBatch<'a> {
    pub(crate) batch: LossBatch<'a>,
    /// What the objective reads besides log-probabilities and weights.
    inputs: Vec<Input>,
    pub(crate) layout: PairLayout,
    live: Vec<bool>,
}

impl<'a> CheckedBatch<'a> {
    pub(crate) fn new(objective: &Objective, batch: &LossBatch<'a>) -> Result<Self, LossError> {
        objective.check()?;
        let inputs = objective.inputs();
        check_lengths(objective, batch, &inputs)?;
        let mut read: Vec<Input> = inputs.iter().copied().filter(|input| *input != Input::Segments).collect();
        read.insert(0, Input::PolicyLogps);
        let mut pairs = batch.pairs.to_vec();
        for (pair, rows) in pairs.iter_mut().enumerate() {
            for side in [Side::Chosen, Side::Rejected] {
                check_rows(pair, side, &rows.side(side).rows, batch.logps.len())?;
                if side == Side::Chosen || objective.is_pairwise() {
                    check_values(objective, (pair, side), &rows.side(side).rows, (batch, &read))?;
                } else {
                    rows.rejected = 0..0;
                }
            }
        }
        let composition = objective.composition().unwrap_or_default();
        let layout = PairLayout::new(&composition, &LossBatch { pairs: &pairs, ..*batch });
        let live = if objective.is_pairwise() {
            layout.live_pairs()
        } else {
            (0..pairs.len()).map(|pair| !layout.pairs(Side::Chosen).is_empty(pair)).collect()
        };
        let checked = Self { batch: *batch, inputs, layout, live };
        checked.check_divisors(objective)?;
        Ok(checked)
    }

    /// Whether the pair has no loss, because nothing of it is left to compare.
    pub(crate) fn is_empty(&self, pair: usize) -> bool {
        !self.live[pair]
    }

    /// An array, where the objective reads it.
    pub(crate) fn read(&self, input: Input) -> Option<&'a [f64]> {
        self.batch.input(input).filter(|_| self.inputs.contains(&input))
    }

    fn check_divisors(&self, objective: &Objective) -> Result<(), LossError> {
        // Without a comparison, a mean over tokens divides by the weights too.
        let reduction = objective.composition().map_or(Reduction::WeightSum, |loss| loss.reduction);
        let sides: &[_] =
            if objective.is_pairwise() { &[Side::Chosen, Side::Rejected] } else { &[Side::Chosen] };
        let live = if objective.is_pairwise() { self.layout.live_units() } else { self.live.clone() };
        for unit in (0..live.len()).filter(|&unit| live[unit]) {
            for &side in sides {
                let grid = self.layout.units(side);
                let (sum, nominal) = (grid.weight_sums()[unit], grid.nominals()[unit]);
                if reduction == Reduction::WeightSum && sum < 0.0 {
                    return Err(LossError::WeightSumNegative { pair: self.layout.pair_of(unit), side, sum });
                }
                if reduction == Reduction::Nominal && !(nominal > 0.0 && nominal.is_finite()) {
                    return Err(LossError::NominalOutOfRange {
                        pair: self.layout.pair_of(unit),
                        side,
                        nominal,
                    });
                }
            }
        }
        Ok(())
    }
}

fn check_lengths(objective: &Objective, batch: &LossBatch<'_>, inputs: &[Input]) -> Result<(), LossError> {
    let n_rows = batch.logps.len();
    for &input in [Input::Weights].iter().chain(inputs) {
        let found = match input {
            Input::Segments => batch.segments.map(<[u32]>::len),
            _ => batch.input(input).map(<[f64]>::len),
        };
        let n_entries = found.ok_or(LossError::InputMissing { objective: objective.name(), input })?;
        if n_entries != n_rows {
            return Err(LossError::InputLength { input, n_rows, n_entries });
        }
    }
    Ok(())
}

fn check_rows(pair: usize, side: Side, rows: &Range<usize>, n_rows: usize) -> Result<(), LossError> {
    if rows.start > rows.end || rows.end > n_rows {
        return Err(LossError::PairRowsOutOfRange { pair, side, start: rows.start, end: rows.end, n_rows });
    }
    Ok(())
}

/// Rows of weight 0 are not read, unless weights are learned.
fn check_values(
    objective: &Objective,
    (pair, side): (usize, Side),
    rows: &Range<usize>,
    (batch, inputs): (&LossBatch<'_>, &[Input]),
) -> Result<(), LossError> {
    let learned = objective.composition().is_some_and(|loss| loss.weighting == Weighting::Learned);
    for row in rows.clone() {
        let weight = batch.weights[row];
        if !weight.is_finite() {
            return Err(LossError::WeightNotFinite { pair, side, row, weight });
        }
        for &input in inputs.iter().filter(|_| weight != 0.0 || learned) {
            let value = batch.input(input).map_or(0.0, |values| values[row]);
            if !value.is_finite() {
                return Err(LossError::InputNotFinite { input, pair, side, row, value });
            }
            if input == Input::Extrapolations && value <= 0.0 {
                return Err(LossError::ExtrapolationNotPositive { pair, side, row, value });
            }
        }
    }
    Ok(())
}
