//! How likely two draws from a model's distribution over the vocabulary are the same token, hidden row by hidden row

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::{HeadStates, Precision};

/// `log Σ_v p[v]²` at every hidden row, in nats, at most 0
///
/// Equivalent to, in `f64`, with `a` the logits,
///
/// ```text
/// p = softmax(a[h])
/// collisions[h] = log Σ_v p[v]²
/// ```
///
/// WPO (arXiv 2406.11827) holds the log-probability of a token against it. No `[rows, vocab]` matrix ever exists: logits are made a tile
/// at a time.
///
/// # Shapes
/// See [`HeadStates`]. The result has one value a hidden row.
///
/// # Numerics
/// Logits are accumulated in `f32`, everything behind them in `f64`.
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// use sepo_kernels::{HeadStates, Precision, log_collisions};
///
/// // Odds of 3 : 1.
/// let model = HeadStates { hidden: &[1.0], lm_head: &[3.0_f32.ln(), 0.0], d_model: 1 };
/// let collisions = log_collisions(model, Precision::default());
/// assert!((collisions[0] - (0.75_f64.powi(2) + 0.25_f64.powi(2)).ln()).abs() < 1e-6);
/// ```
#[must_use]
pub fn log_collisions(model: HeadStates<'_>, precision: Precision) -> Vec<f64> {
    cpu::log_collisions(model, precision)
}
