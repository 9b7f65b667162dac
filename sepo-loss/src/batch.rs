//! What a loss is computed from, and the door where it is checked.

use std::ops::Range;

use crate::error::{LogpModel, LossError, Side};
use crate::grid::{SequenceRows, TokenGrid};
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
/// # Which token an index names
///
/// Row `i` of the three arrays belongs to one response token, and holds the log-probability of *that* token given all
/// before it. A pair's rows are in the order of its tokens. Rows may be missing (a trainer that computes selected tokens
/// only has no others); rows that no pair names are allowed and get a gradient of 0.
#[derive(Debug, Clone, Copy)]
pub struct LossBatch<'a> {
    /// The policy's log-probability of each row's token, in nats.
    pub logps: &'a [f64],
    /// The reference's log-probability of each row's token; left unread by objectives without a reference.
    pub reference_logps: Option<&'a [f64]>,
    /// The weight of each row. Rows of weight 0 may hold anything, NaN included.
    pub weights: &'a [f32],
    /// The pairs.
    pub pairs: &'a [PairRows],
}

/// A batch that has passed every check, with the grids of both sides.
pub(crate) struct CheckedBatch<'a> {
    pub(crate) batch: &'a LossBatch<'a>,
    /// The reference, where the objective compares with it.
    pub(crate) reference: Option<&'a [f64]>,
    pub(crate) chosen: TokenGrid,
    pub(crate) rejected: TokenGrid,
}

impl<'a> CheckedBatch<'a> {
    pub(crate) fn new(objective: &Objective, batch: &'a LossBatch<'a>) -> Result<Self, LossError> {
        objective.check()?;
        let n_rows = batch.logps.len();
        if batch.weights.len() != n_rows {
            return Err(LossError::WeightsLength { n_rows, n_weights: batch.weights.len() });
        }
        let reference = reference_in_use(objective, batch)?;
        let chosen = side_grid(objective, batch, reference, Side::Chosen)?;
        let rejected = side_grid(objective, batch, reference, Side::Rejected)?;
        let checked = Self { batch, reference, chosen, rejected };
        checked.check_divisors(objective)?;
        Ok(checked)
    }

    /// Whether the pair has no loss, because a side that the objective uses is empty.
    pub(crate) fn is_empty(&self, objective: &Objective, pair: usize) -> bool {
        self.chosen.is_empty(pair) || (objective.is_pairwise() && self.rejected.is_empty(pair))
    }

    fn check_divisors(&self, objective: &Objective) -> Result<(), LossError> {
        // The mean that a trainer takes of `Sft` divides by the weights too.
        let reduction = objective.pair_loss().map_or(Reduction::WeightSum, |loss| loss.reduction);
        let sides: &[_] = if objective.is_pairwise() {
            &[(Side::Chosen, &self.chosen), (Side::Rejected, &self.rejected)]
        } else {
            &[(Side::Chosen, &self.chosen)]
        };
        for pair in (0..self.batch.pairs.len()).filter(|&pair| !self.is_empty(objective, pair)) {
            for &(side, grid) in sides {
                let (sum, nominal) = (grid.weight_sums()[pair], grid.nominals()[pair]);
                if reduction == Reduction::WeightSum && sum < 0.0 {
                    return Err(LossError::WeightSumNegative { pair, side, sum });
                }
                if reduction == Reduction::Nominal && !(nominal > 0.0 && nominal.is_finite()) {
                    return Err(LossError::NominalOutOfRange { pair, side, nominal });
                }
            }
        }
        Ok(())
    }
}

fn reference_in_use<'a>(
    objective: &Objective,
    batch: &LossBatch<'a>,
) -> Result<Option<&'a [f64]>, LossError> {
    if !objective.needs_reference() {
        return Ok(None);
    }
    let reference =
        batch.reference_logps.ok_or(LossError::ReferenceMissing { objective: objective.name() })?;
    if reference.len() != batch.logps.len() {
        return Err(LossError::ReferenceLength { n_rows: batch.logps.len(), n_reference: reference.len() });
    }
    Ok(Some(reference))
}

/// The grid of one side; without rows where the objective does not read that side.
fn side_grid(
    objective: &Objective,
    batch: &LossBatch<'_>,
    reference: Option<&[f64]>,
    side: Side,
) -> Result<TokenGrid, LossError> {
    let is_read = side == Side::Chosen || objective.is_pairwise();
    let mut sequences: Vec<SequenceRows> = batch.pairs.iter().map(|pair| pair.side(side)).collect();
    for (pair, sequence) in sequences.iter_mut().enumerate() {
        check_rows(pair, side, &sequence.rows, batch.logps.len())?;
        if is_read {
            check_values(pair, side, &sequence.rows, batch, reference)?;
        } else {
            sequence.rows = 0..0;
        }
    }
    Ok(TokenGrid::from_checked(&sequences, batch.weights))
}

fn check_rows(pair: usize, side: Side, rows: &Range<usize>, n_rows: usize) -> Result<(), LossError> {
    if rows.start > rows.end || rows.end > n_rows {
        return Err(LossError::PairRowsOutOfRange { pair, side, start: rows.start, end: rows.end, n_rows });
    }
    Ok(())
}

fn check_values(
    pair: usize,
    side: Side,
    rows: &Range<usize>,
    batch: &LossBatch<'_>,
    reference: Option<&[f64]>,
) -> Result<(), LossError> {
    for row in rows.clone() {
        let weight = batch.weights[row];
        if !weight.is_finite() {
            return Err(LossError::WeightNotFinite { pair, side, row, weight });
        }
        if weight == 0.0 {
            continue;
        }
        let models = [(LogpModel::Policy, Some(batch.logps)), (LogpModel::Reference, reference)];
        for (model, logps) in models {
            if let Some(&logp) = logps.and_then(|logps| logps.get(row)).filter(|logp| !logp.is_finite()) {
                return Err(LossError::LogpNotFinite { model, pair, side, row, logp });
            }
        }
    }
    Ok(())
}
