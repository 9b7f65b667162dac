//! The number that each token contributes.

use dfdx::prelude::*;

use crate::constant::{PerRow, scalar};

/// The log-ratio `u_t = l_t − ρ · l_ref,t` of every row.
///
/// `l_t` is the policy's log-probability of token *t*, `l_ref,t` the reference's; ρ (`rho`) is how much of the reference
/// is taken off: 1 for DPO and its kin. Objectives without a reference use `policy` itself as their statistic.
/// The reference carries no gradient.
///
/// # Shapes
///
/// | argument | shape | meaning |
/// |---|---|---|
/// | `policy` | `[n_rows]` | nats, at most 0 |
/// | `reference` | `[n_rows]` | nats, at most 0 |
/// | result | `[n_rows]` | nats |
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Panics
///
/// If the two lengths differ.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
///
/// let device = Cpu::default();
/// let policy = device.tensor_from_vec(vec![-1.0, -0.5], (2,));
/// let reference = device.tensor_from_vec(vec![-1.5, -0.25], (2,));
/// assert_eq!(sepo_loss::log_ratio(policy, reference, 1.0)?.as_vec(), [0.5, -0.25]);
/// # Ok::<(), CpuError>(())
/// ```
pub fn log_ratio<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    policy: PerRow<E, D, T>,
    reference: PerRow<E, D>,
    rho: f64,
) -> Result<PerRow<E, D, T>, D::Err> {
    // Also for ρ = 1: the product has an identity of its own, and dfdx's tape refuses a tensor minus its own clone, which
    // is what a reference that starts as a clone of the policy is.
    let reference = reference.try_mul(scalar::<E>(rho))?;
    policy.try_sub(reference)
}
