//! Where the rows of a batch stand in the comparisons of a loss.

use crate::batch::LossBatch;
use crate::composition::{Composition, Weighting};
use crate::error::Side;
use crate::grid::{SequenceRows, TokenGrid};
use crate::partition::{Partition, UnitSum, units};

/// The comparisons of a batch as grids: constants of the loss.
///
/// [`PairLayout::of_pairs`] makes one for whole responses; [`evaluate`](crate::evaluate) makes them for every composition.
#[derive(Debug, Clone, PartialEq)]
pub struct PairLayout {
    /// Chosen and rejected rows of each comparison.
    units: [TokenGrid; 2],
    /// Rows of each pair, with their weights.
    pairs: [TokenGrid; 2],
    /// The same with a weight of 1 wherever it is not 0.
    rows: [TokenGrid; 2],
    /// Comparisons of each pair; `None` where each has one.
    sums: Option<TokenGrid>,
}

impl PairLayout {
    /// Whole responses: sequence `i` of both grids is pair `i`.
    ///
    /// # Panics
    ///
    /// If the grids have different numbers of sequences, or were not made for the same rows.
    #[must_use]
    pub fn of_pairs(chosen: TokenGrid, rejected: TokenGrid) -> Self {
        assert_eq!(
            chosen.n_sequences(),
            rejected.n_sequences(),
            "a pair has a chosen and a rejected sequence"
        );
        assert_eq!(chosen.n_rows(), rejected.n_rows(), "both grids are of one batch");
        let pairs = [chosen, rejected];
        Self { units: pairs.clone(), rows: pairs.each_ref().map(TokenGrid::mask), pairs, sums: None }
    }

    /// The layout of a batch whose ranges are known to be good.
    pub(crate) fn new(composition: &Composition, batch: &LossBatch<'_>) -> Self {
        let learned = composition.weighting == Weighting::Learned;
        let ones = vec![1.0; if learned { batch.weights.len() } else { 0 }];
        let weights = if learned { &ones[..] } else { batch.weights };
        let grid = |sequences: &[SequenceRows]| TokenGrid::from_checked(sequences, weights);
        let of_pairs = |side| -> Vec<_> { batch.pairs.iter().map(|pair| pair.side(side)).collect() };
        let whole = Self::of_pairs(grid(&of_pairs(Side::Chosen)), grid(&of_pairs(Side::Rejected)));
        if composition.partition == Partition::Whole {
            return whole;
        }
        let (mut chosen, mut rejected, mut ends, mut shares) = (Vec::new(), Vec::new(), vec![0], Vec::new());
        for pair in batch.pairs {
            let units = units((composition.partition, composition.pairing), pair, batch);
            let live = |rows: &std::ops::Range<usize>| weights[rows.clone()].iter().sum::<f64>() != 0.0;
            let n_live = units.iter().filter(|unit| live(&unit.chosen) && live(&unit.rejected)).count();
            let share = match composition.unit_sum {
                UnitSum::Sum => 1.0,
                UnitSum::Mean => 1.0 / n_live.max(1) as f64,
            };
            for unit in units {
                chosen.push(SequenceRows { rows: unit.chosen, nominal: pair.chosen_nominal });
                rejected.push(SequenceRows { rows: unit.rejected, nominal: pair.rejected_nominal });
                shares.push(share);
            }
            ends.push(chosen.len());
        }
        let of_pair = ends.windows(2).map(|ends| SequenceRows { rows: ends[0]..ends[1], nominal: 1.0 });
        let sums = TokenGrid::from_checked(&of_pair.collect::<Vec<_>>(), &shares);
        Self { units: [grid(&chosen), grid(&rejected)], sums: Some(sums), ..whole }
    }

    /// How many pairs there are.
    #[must_use]
    pub fn n_pairs(&self) -> usize {
        self.pairs[0].n_sequences()
    }

    pub(crate) fn n_units(&self) -> usize {
        self.units[0].n_sequences()
    }

    pub(crate) fn units(&self, side: Side) -> &TokenGrid {
        &self.units[index(side)]
    }

    pub(crate) fn pairs(&self, side: Side) -> &TokenGrid {
        &self.pairs[index(side)]
    }

    pub(crate) fn rows(&self, side: Side) -> &TokenGrid {
        &self.rows[index(side)]
    }

    pub(crate) fn sums(&self) -> Option<&TokenGrid> {
        self.sums.as_ref()
    }

    /// Whether both sides of a comparison have weighted rows.
    pub(crate) fn live_units(&self) -> Vec<bool> {
        let [chosen, rejected] = &self.units;
        (0..self.n_units()).map(|unit| !chosen.is_empty(unit) && !rejected.is_empty(unit)).collect()
    }

    /// Whether a pair has a comparison that counts.
    pub(crate) fn live_pairs(&self) -> Vec<bool> {
        let units = self.live_units();
        let Some(sums) = &self.sums else { return units };
        (0..self.n_pairs()).map(|pair| sums.rows_of(pair).iter().any(|&unit| units[unit])).collect()
    }

    /// The pair that a comparison belongs to.
    pub(crate) fn pair_of(&self, unit: usize) -> usize {
        let Some(sums) = &self.sums else { return unit };
        (0..self.n_pairs()).find(|&pair| sums.rows_of(pair).contains(&unit)).unwrap_or(unit)
    }

    /// `|y_w| − |y_l|` of each comparison.
    pub(crate) fn length_differences(&self) -> Vec<f64> {
        let [chosen, rejected] = &self.units;
        chosen.lengths().iter().zip(rejected.lengths()).map(|(chosen, rejected)| chosen - rejected).collect()
    }
}

fn index(side: Side) -> usize {
    match side {
        Side::Chosen => 0,
        Side::Rejected => 1,
    }
}
