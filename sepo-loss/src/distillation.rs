//! A loss without pairs: how far the policy is from a teacher's distribution at every token.

use dfdx::prelude::*;

use crate::constant::{PerRow, constant};
use crate::grid::TokenGrid;
use crate::reduction::{Reduction, reduce};

/// AlignDistil's loss of every response (arXiv 2503.02832): `β Σ_t w_t K_t / g_t / Σ_t w_t`, exactly 0 for an empty one.
///
/// `K_t = KL(π ‖ p*_t)` is the policy's divergence from the teacher at token *t*, whose logits are those of a model aligned by
/// DPO, moved on by `g_t` times their distance from those of one aligned the other way round. The further the teacher is moved, the
/// less its token counts: theorem 1 of the paper has `β / g_t` for the strength of the tie. `g` carries no gradient.
///
/// # Shapes
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | `reverse_kls` | `[n_rows]` | `K_t`, nats |
/// | `extrapolations` | `[n_rows]` | `g_t`, above 0 |
/// | result | `[n_sequences]` | nats times β |
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Panics
///
/// If the lists are not as long as the grid's weights.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
/// use sepo_loss::{TokenGrid, distillation};
///
/// let grid = TokenGrid::from_offsets(&[0, 2], &[1.0, 1.0])?;
/// let kls = Cpu::default().tensor_from_vec(vec![0.5, 2.0], (2,));
/// let losses = distillation(kls.leaky_trace(), &[0.5, 2.0], 0.1, &grid)?;
/// assert_eq!(losses.as_vec(), [0.1]); // 0.1 (0.5 / 0.5 + 2 / 2) / 2
/// assert_eq!(losses.sum::<Rank0, _>().backward().get(&kls).as_vec(), [0.1, 0.025]);
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
pub fn distillation<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    reverse_kls: PerRow<E, D, T>,
    extrapolations: &[f64],
    beta: f64,
    grid: &TokenGrid,
) -> Result<PerRow<E, D, T>, D::Err> {
    // Rows that no sequence takes may hold anything, and infinity times 0 is no number.
    let strength = |g: &f64| if *g > 0.0 { beta / g } else { 0.0 };
    let strengths: Vec<f64> = extrapolations.iter().map(strength).collect();
    let strengths = constant::<_, E, D>(reverse_kls.device(), &strengths, (strengths.len(),))?;
    reduce(reverse_kls.try_mul(strengths)?, grid, Reduction::WeightSum)
}
