//! Where the weighted rows of each sequence stand in a padded grid.

use std::ops::Range;

use crate::error::LossError;

/// The rows of one sequence, and the token count that [`Reduction::Nominal`](crate::Reduction::Nominal) divides by.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceRows {
    /// Rows of the flat per-token arrays.
    pub rows: Range<usize>,
    /// `k · |y|` of the SePO paper: the share of tokens kept times the length of the response.
    pub nominal: f64,
}

/// The weighted rows of several sequences as a `[n_sequences, width]` grid of row indices and weights.
///
/// A grid is a constant of the loss: weights carry no gradient.
///
/// Rows of weight 0 have no cell, so whatever stands there (NaN, −∞) can reach neither a value nor a gradient. `width`
/// is the largest number of weighted rows in one sequence; cells beyond a sequence's own rows are padding, with weight
/// 0. A sequence with no weighted row, or whose weights sum to 0, is *empty*: it has no cells at all.
///
/// # Why a padded grid
///
/// dfdx has no segment sum. A difference of running sums is not exact, a product with an indicator matrix is quadratic
/// and turns an unselected −∞ into NaN, and a slice for each sequence costs several tape entries each. One gather, one
/// `choose` and one sum over an axis take the same few tape entries for any number of sequences, add the numbers of a
/// sequence in the order of its rows whatever its neighbours are, and waste only the padding.
///
/// # Examples
///
/// ```
/// use sepo_loss::TokenGrid;
///
/// // Two sequences of three and two tokens; the second token of the first one is not selected.
/// let grid = TokenGrid::from_offsets(&[0, 3, 5], &[1.0, 0.0, 1.0, 0.5, 0.5])?;
/// assert_eq!((grid.n_sequences(), grid.width()), (2, 2));
/// assert_eq!(grid.weight_sums(), [2.0, 1.0]);
/// assert_eq!(grid.lengths(), [3.0, 2.0]);
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TokenGrid {
    n_rows: usize,
    width: usize,
    cell_rows: Vec<usize>,
    cell_weights: Vec<f64>,
    weight_sums: Vec<f64>,
    lengths: Vec<f64>,
    nominals: Vec<f64>,
}

impl TokenGrid {
    /// The grid of sequences that lie one after the other.
    ///
    /// Sequence `i` has the rows `offsets[i]..offsets[i + 1]`; `weights` has one entry a row. The nominal token count
    /// of a sequence is its number of rows (everything kept).
    ///
    /// # Errors
    ///
    /// * [`LossError::OffsetOutOfRange`] unless offsets start at 0, do not decrease and end at `weights.len()`.
    /// * [`LossError::SequenceWeightNotFinite`] if a weight is NaN or infinite.
    pub fn from_offsets(offsets: &[usize], weights: &[f64]) -> Result<Self, LossError> {
        let n_rows = weights.len();
        let mut least = 0;
        for (position, &offset) in offsets.iter().enumerate() {
            let most = if position == 0 { 0 } else { n_rows };
            let least_here = if position > 0 && position + 1 == offsets.len() { n_rows } else { least };
            if offset < least_here || offset > most {
                return Err(LossError::OffsetOutOfRange { position, offset, least: least_here, most });
            }
            least = offset;
        }
        let sequences: Vec<SequenceRows> = offsets
            .windows(2)
            .map(|pair| SequenceRows { rows: pair[0]..pair[1], nominal: (pair[1] - pair[0]) as f64 })
            .collect();
        Self::new(&sequences, weights)
    }

    /// The grid of sequences that lie anywhere in the flat arrays.
    ///
    /// `weights` has one entry a row of the flat arrays. Sequences may share rows.
    ///
    /// # Errors
    ///
    /// * [`LossError::SequenceRowsOutOfRange`] if a range is inverted or ends beyond `weights`.
    /// * [`LossError::SequenceWeightNotFinite`] if the weight of a row in use is NaN or infinite.
    pub fn new(sequences: &[SequenceRows], weights: &[f64]) -> Result<Self, LossError> {
        for (sequence, SequenceRows { rows, .. }) in sequences.iter().enumerate() {
            let taken = weights.get(rows.clone()).ok_or(LossError::SequenceRowsOutOfRange {
                sequence,
                start: rows.start,
                end: rows.end,
                n_rows: weights.len(),
            })?;
            for (&weight, row) in taken.iter().zip(rows.clone()) {
                if !weight.is_finite() {
                    return Err(LossError::SequenceWeightNotFinite { sequence, row, weight });
                }
            }
        }
        Ok(Self::from_checked(sequences, weights))
    }

    /// [`TokenGrid::new`] for ranges and weights that are known to be good.
    pub(crate) fn from_checked(sequences: &[SequenceRows], weights: &[f64]) -> Self {
        let weighted = |rows: &Range<usize>| rows.clone().filter(|&row| weights[row] != 0.0);
        let weight_sums: Vec<f64> = sequences.iter().map(|s| weights[s.rows.clone()].iter().sum()).collect();
        let live = || sequences.iter().zip(&weight_sums).map(|(s, &sum)| (s, sum != 0.0));

        let width =
            live().filter(|(_, live)| *live).map(|(s, _)| weighted(&s.rows).count()).max().unwrap_or(0);
        // Without any cell the tape would not know the input: one column of padding keeps its gradient (zero) defined.
        let width = width.max(1);
        let mut cell_rows = vec![0; sequences.len() * width];
        let mut cell_weights = vec![0.0; sequences.len() * width];
        for (sequence, (SequenceRows { rows, .. }, live)) in live().enumerate() {
            if live {
                for (cell, row) in (sequence * width..).zip(weighted(rows)) {
                    cell_rows[cell] = row;
                    cell_weights[cell] = weights[row];
                }
            }
        }
        Self {
            n_rows: weights.len(),
            width,
            cell_rows,
            cell_weights,
            weight_sums,
            lengths: sequences.iter().map(|s| s.rows.len() as f64).collect(),
            nominals: sequences.iter().map(|s| s.nominal).collect(),
        }
    }

    /// Length of the flat per-token arrays that the grid reads.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How many sequences the grid sums over.
    pub fn n_sequences(&self) -> usize {
        self.weight_sums.len()
    }

    /// Cells of a sequence, padding included; at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Sum of the weights of each sequence: the number of selected tokens where weights are 0 or 1.
    pub fn weight_sums(&self) -> &[f64] {
        &self.weight_sums
    }

    /// Number of rows of each sequence, those of weight 0 included.
    pub fn lengths(&self) -> &[f64] {
        &self.lengths
    }

    /// Nominal token count of each sequence.
    pub fn nominals(&self) -> &[f64] {
        &self.nominals
    }

    /// Whether a sequence has no weighted row, or weights that sum to 0.
    ///
    /// # Panics
    ///
    /// If there is no such sequence.
    pub fn is_empty(&self, sequence: usize) -> bool {
        self.weight_sums[sequence] == 0.0
    }

    /// The same sequences with a weight of 1 for every weighted row.
    pub(crate) fn mask(&self) -> Self {
        let of_cells = |i: usize| {
            self.cell_weights[i * self.width..][..self.width].iter().filter(|weight| **weight != 0.0).count()
        };
        Self {
            cell_weights: self
                .cell_weights
                .iter()
                .map(|&weight| if weight == 0.0 { 0.0 } else { 1.0 })
                .collect(),
            weight_sums: (0..self.n_sequences()).map(|i| of_cells(i) as f64).collect(),
            ..self.clone()
        }
    }

    /// The weighted rows of a sequence, in order; none where it is empty.
    pub(crate) fn rows_of(&self, sequence: usize) -> Vec<usize> {
        let cells = sequence * self.width..(sequence + 1) * self.width;
        cells.filter(|&cell| self.cell_weights[cell] != 0.0).map(|cell| self.cell_rows[cell]).collect()
    }

    pub(crate) fn cell_rows(&self) -> &[usize] {
        &self.cell_rows
    }

    pub(crate) fn cell_weights(&self) -> &[f64] {
        &self.cell_weights
    }
}
