//! The door where a batch is checked.

use std::ops::Range;

use crate::batch::LossBatch;
use crate::composition::Weighting;
use crate::error::{Input, LossError, Side};
use crate::layout::PairLayout;
use crate::objective::Objective;
use crate::reduction::Reduction;

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
