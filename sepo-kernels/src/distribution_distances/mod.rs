//! How far two models' distributions over the vocabulary are from each other, hidden row by hidden row

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::{HeadStates, Precision};

/// `Σ_v |p[v] - q[v]|` of two distributions at every hidden row, between 0 and 2: twice their total variation
///
/// Equivalent to, in `f64`, with `a` and `b` the logits of the two models,
///
/// ```text
/// p = softmax(a[h])   q = softmax(b[h])
/// distances[h] = Σ_v |p[v] - q[v]|
/// ```
///
/// No `[rows, vocab]` matrix ever exists: logits are made twice, a tile at a time, once for their log-sum-exp and once for the
/// differences.
///
/// # Shapes
/// Both have the same number of hidden rows and tokens; see [`HeadStates`]. The result has one value a hidden row.
///
/// # Numerics
/// Logits are accumulated in `f32`; the distance carries their rounding, times the probability at stake.
///
/// # Panics
/// Where a slice does not have its shape, or the two differ in hidden rows or tokens.
///
/// # Examples
/// ```
/// use sepo_kernels::{HeadStates, Precision, distribution_distances};
///
/// // Odds of 3 : 1 and of 1 : 1.
/// let one = HeadStates { hidden: &[1.0], lm_head: &[3.0_f32.ln(), 0.0], d_model: 1 };
/// let other = HeadStates { hidden: &[1.0], lm_head: &[0.0, 0.0], d_model: 1 };
/// let distances = distribution_distances(one, other, Precision::default());
/// assert!((distances[0] - 0.5).abs() < 1e-6);
/// ```
#[must_use]
pub fn distribution_distances(one: HeadStates<'_>, other: HeadStates<'_>, precision: Precision) -> Vec<f64> {
    assert_eq!(one.n_hidden(), other.n_hidden(), "two models at the same positions");
    assert_eq!(one.vocab(), other.vocab(), "two models with one vocabulary");
    cpu::distribution_distances(one, other, precision)
}
