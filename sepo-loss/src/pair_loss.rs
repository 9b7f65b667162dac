//! A pairwise loss from its four parts.

use dfdx::prelude::*;

use crate::constant::{PerRow, constant, scalar};
use crate::grid::TokenGrid;
use crate::link::Link;
use crate::reduction::{Reduction, reduce};

/// `φ( β · (U_chosen − U_rejected) − Γ )` with `U = Σ_t w_t · u_t / N`.
///
/// The token statistic `u_t` and the weights `w_t` come in with each call; the four parts here are what a paper
/// chooses. DPO is `{ Sum, β, 0, Logistic }` over [`log_ratio`](crate::log_ratio).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLoss {
    /// `N`, what the weighted sum of each response is divided by.
    pub reduction: Reduction,
    /// β, the scale of the difference.
    pub beta: f64,
    /// Γ, what the scaled difference has to exceed.
    pub margin: f64,
    /// φ, the loss as a function of what is left.
    pub link: Link,
}

impl PairLoss {
    /// The loss of every pair; 0 with zero gradient where one of its responses is empty.
    ///
    /// # Shapes
    ///
    /// | argument | shape | meaning |
    /// |---|---|---|
    /// | `statistic` | `[n_rows]` | `u_t` of every row, both responses |
    /// | `chosen`, `rejected` | `n_pairs` sequences each | sequence `i` of both grids is pair `i` |
    /// | result | `[n_pairs]` | nats where the link is logistic |
    ///
    /// # Errors
    ///
    /// The device's own, where an operation fails.
    ///
    /// # Panics
    ///
    /// If the grids have different numbers of sequences, or were not made for as many rows as `statistic` has.
    ///
    /// # Examples
    ///
    /// ```
    /// use dfdx::prelude::*;
    /// use sepo_loss::{Link, PairLoss, Reduction, SequenceRows, TokenGrid};
    ///
    /// let weights = [1.0; 4];
    /// let side = |rows| TokenGrid::new(&[SequenceRows { rows, nominal: 2.0 }], &weights);
    /// let hinge = PairLoss { reduction: Reduction::WeightSum, beta: 1.0, margin: 0.0, link: Link::Hinge };
    /// let logps = Cpu::default().tensor_from_vec(vec![-1.0, -2.0, -1.0, -2.5], (4,));
    /// let losses = hinge.losses(logps, &side(0..2)?, &side(2..4)?)?; // 1 − (−1.5 + 1.75)
    /// assert_eq!(losses.as_vec(), [0.75]);
    /// # Ok::<(), sepo_loss::LossError>(())
    /// ```
    pub fn losses<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        statistic: PerRow<E, D, T>,
        chosen: &TokenGrid,
        rejected: &TokenGrid,
    ) -> Result<PerRow<E, D, T>, D::Err> {
        let n_pairs = chosen.n_sequences();
        assert_eq!(n_pairs, rejected.n_sequences(), "a pair has a chosen and a rejected sequence");
        let device = statistic.device().clone();
        let rejected_reduced = reduce(statistic.with_empty_tape(), rejected, self.reduction)?;
        let difference = reduce(statistic, chosen, self.reduction)?.try_sub(rejected_reduced)?;
        let z = difference.try_mul(scalar::<E>(self.beta))?.try_sub(scalar::<E>(self.margin))?;
        let losses = self.link.losses(z)?;

        let live = |pair| if chosen.is_empty(pair) || rejected.is_empty(pair) { 0.0 } else { 1.0 };
        let live: Vec<f64> = (0..n_pairs).map(live).collect();
        let live = constant::<_, E, D>(&device, &live, (n_pairs,))?.try_ne(E::default())?;
        let zeros: PerRow<E, D> = device.try_zeros_like(&(n_pairs,))?;
        live.try_choose(losses, zeros)
    }
}
