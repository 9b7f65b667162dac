//! Root-mean-square normalisation (arXiv 1910.07467), as Llama-like models use it

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::Write;
use crate::tasks::assert_rows;

/// Each row of `x` divided by its root mean square and multiplied by `weight`, written to `y`
///
/// `inv_rms = 1 / sqrt(mean(x²) + eps)` of each row is kept for the backward pass.
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `x`, `y` | `[n_rows, d]`, with `d = weight.len()` |
/// | `weight` | `[d]` |
/// | `inv_rms` | `[n_rows]` |
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// let (mut y, mut inv_rms) = ([0.0; 2], [0.0]);
/// sepo_kernels::rms_norm(&[3.0, 3.0], &[1.0, 2.0], 0.0, &mut y, &mut inv_rms);
/// assert!((y[0] - 1.0).abs() < 1e-6 && (y[1] - 2.0).abs() < 1e-6);
/// ```
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inv_rms: &mut [f32]) {
    let n_rows = assert_rows(x, weight.len());
    assert_eq!(y.len(), x.len(), "`y` must be as long as `x`");
    assert_eq!(inv_rms.len(), n_rows, "`inv_rms` must have one value a row");
    cpu::rms_norm(x, weight, eps, y, inv_rms);
}

/// The gradients of [`rms_norm`]: `dx` written as `write` says, `dweight` added to
///
/// With `n = x inv_rms` and `g = dy weight`: `dx = inv_rms (g - n mean(g n))`, `dweight = Σ dy n`.
///
/// Shapes as in [`rms_norm`]; `dy` and `dx` as `x`, `dweight` as `weight`.
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// use sepo_kernels::{Write, rms_norm_backward};
///
/// let (mut dx, mut dweight) = ([0.0; 2], [0.0; 2]);
/// rms_norm_backward(&[1.0, 1.0], &[1.0, 1.0], &[1.0], &[1.0, 0.0], &mut dx, &mut dweight, Write::Overwrite);
/// assert_eq!((dx, dweight), ([0.5, -0.5], [1.0, 0.0]));
/// ```
pub fn rms_norm_backward(
    x: &[f32],
    weight: &[f32],
    inv_rms: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dweight: &mut [f32],
    write: Write,
) {
    let n_rows = assert_rows(x, weight.len());
    assert_eq!(inv_rms.len(), n_rows, "`inv_rms` must have one value a row");
    assert_eq!(dy.len(), x.len(), "`dy` must be as long as `x`");
    assert_eq!(dx.len(), x.len(), "`dx` must be as long as `x`");
    assert_eq!(dweight.len(), weight.len(), "`dweight` must be as long as `weight`");
    cpu::rms_norm_backward(x, weight, inv_rms, dy, dx, dweight, write);
}
