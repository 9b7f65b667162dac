//! The loss of supervised fine-tuning.

use dfdx::prelude::*;

use crate::constant::PerRow;
use crate::grid::TokenGrid;
use crate::reduction::weighted_sums;

/// The negative log-likelihood `−Σ_t w_t · l_t` of every sequence; exactly 0 for an empty one.
///
/// `l_t` is the policy's log-probability of token *t* and `w_t` its weight. Divide the sum over a batch by the sum of
/// its weights for the token mean that trainers report.
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Panics
///
/// If `policy` is not as long as the grid's weights.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
/// use sepo_loss::{TokenGrid, negative_log_likelihood};
///
/// let grid = TokenGrid::from_offsets(&[0, 2, 3], &[1.0, 1.0, 0.5])?;
/// let policy = Cpu::default().tensor_from_vec(vec![-1.0, -2.0, -4.0], (3,));
/// assert_eq!(negative_log_likelihood(policy, &grid)?.as_vec(), [3.0, 2.0]);
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
pub fn negative_log_likelihood<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    policy: PerRow<E, D, T>,
    grid: &TokenGrid,
) -> Result<PerRow<E, D, T>, D::Err> {
    weighted_sums(policy, grid)?.try_negate()
}
