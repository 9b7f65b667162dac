//! From one number a row to one number a sequence.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::constant::{PerRow, constant};
use crate::grid::TokenGrid;

/// What the weighted sum of a sequence is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// 1: the weighted sum itself.
    Sum,
    /// Sum of the weights: the weighted mean. With weights of 1 this is the length, with a 0/1 mask the count.
    WeightSum,
    /// Number of rows, those of weight 0 included.
    Length,
    /// The nominal token count `k · |y|`.
    Nominal,
    /// Number of rows of the shorter response; of the sequence itself where it is compared with none, or with an empty one.
    MinLength,
}

impl Reduction {
    /// The divisor of each sequence, which is compared with the one of the same number in `other`; 1 where the sequence is
    /// empty, so that its quotient is 0.
    pub(crate) fn divisors(self, grid: &TokenGrid, other: &TokenGrid) -> Option<Vec<f64>> {
        let divisor = |i: usize| match self {
            Self::Sum => 1.0,
            Self::WeightSum => grid.weight_sums()[i],
            Self::Length => grid.lengths()[i],
            Self::Nominal => grid.nominals()[i],
            Self::MinLength if other.lengths()[i] > 0.0 => grid.lengths()[i].min(other.lengths()[i]),
            Self::MinLength => grid.lengths()[i],
        };
        let of = |i| if grid.is_empty(i) { 1.0 } else { divisor(i) };
        (self != Self::Sum).then(|| (0..grid.n_sequences()).map(of).collect())
    }
}

/// The weighted sum `Σ_t w_t · u_t` of every sequence; exactly 0 for an empty one.
///
/// Equivalent to a loop over the rows of each sequence in order that skips rows of weight 0. A skipped row may hold
/// anything: it is left out, not multiplied by 0, and its gradient is exactly 0.
///
/// # Shapes
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | `statistic` | `[n_rows]` | `u_t`, in the order that the grid was made for |
/// | result | `[n_sequences]` | one sum a sequence |
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Panics
///
/// If `statistic` is not as long as the grid's weights.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
/// use sepo_loss::{TokenGrid, weighted_sums};
///
/// let grid = TokenGrid::from_offsets(&[0, 2, 3], &[1.0, 0.0, 2.0])?;
/// let statistic = Cpu::default().tensor_from_vec(vec![-1.0, f64::NAN, -3.0], (3,));
/// assert_eq!(weighted_sums(statistic, &grid)?.as_vec(), [-1.0, -6.0]);
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
pub fn weighted_sums<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    statistic: PerRow<E, D, T>,
    grid: &TokenGrid,
) -> Result<PerRow<E, D, T>, D::Err> {
    let (n_rows,) = *statistic.shape();
    assert_eq!(n_rows, grid.n_rows(), "one statistic for each row that the grid was made for");
    let device = statistic.device().clone();
    if n_rows == 0 {
        let (_, tape) = statistic.split_tape();
        return Ok(device.try_zeros_like(&(grid.n_sequences(),))?.put_tape(tape));
    }
    let n_cells = grid.cell_rows().len();
    let rows = device.try_tensor_from_vec(grid.cell_rows().to_vec(), (n_cells,))?;
    let weights = constant::<_, E, D>(&device, grid.cell_weights(), (n_cells,))?;
    let zeros: PerRow<E, D> = device.try_zeros_like(&(n_cells,))?;

    let cells = statistic.try_gather::<(usize,), (usize,)>(rows)?;
    // Padding points at row 0, whose value is none of this sequence's business: choose, because 0 · −∞ = NaN.
    let cells = weights.try_ne(E::default())?.try_choose(cells, zeros)?;
    let weighted = cells.try_mul(weights)?;
    weighted.try_reshape_like(&(grid.n_sequences(), grid.width()))?.try_sum::<(usize,), Axis<1>>()
}

/// [`weighted_sums`] with weights that carry a gradient: the grid says which rows take part, with a weight of 1 each.
pub(crate) fn learned_sums<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    statistic: PerRow<E, D, T>,
    weights: PerRow<E, D, T>,
    grid: &TokenGrid,
) -> Result<PerRow<E, D, T>, D::Err> {
    weighted_sums(statistic.try_mul(weights)?, grid)
}

/// The reduced statistic `U = Σ_t w_t · u_t / N` of every sequence; exactly 0 for an empty one.
///
/// [`weighted_sums`] divided by what `reduction` names.
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Panics
///
/// If `statistic` is not as long as the grid's weights.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
/// use sepo_loss::{Reduction, TokenGrid, reduce};
///
/// let grid = TokenGrid::from_offsets(&[0, 3], &[1.0, 0.0, 1.0])?;
/// let logps = || Cpu::default().tensor_from_vec(vec![-1.0, -9.0, -2.0], (3,));
/// assert_eq!(reduce(logps(), &grid, Reduction::Sum)?.as_vec(), [-3.0]);
/// assert_eq!(reduce(logps(), &grid, Reduction::WeightSum)?.as_vec(), [-1.5]);
/// assert_eq!(reduce(logps(), &grid, Reduction::Length)?.as_vec(), [-1.0]);
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
pub fn reduce<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    statistic: PerRow<E, D, T>,
    grid: &TokenGrid,
    reduction: Reduction,
) -> Result<PerRow<E, D, T>, D::Err> {
    let device = statistic.device().clone();
    let sums = weighted_sums(statistic, grid)?;
    match reduction.divisors(grid, grid) {
        Some(divisors) => sums.try_div(constant::<_, E, D>(&device, &divisors, (divisors.len(),))?),
        None => Ok(sums),
    }
}
