//! Layer normalisation (arXiv 1607.06450), as GPT-NeoX models use it

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::Write;
use crate::tasks::assert_rows;

/// What the forward pass of [`layer_norm`] read and kept
#[derive(Clone, Copy, Debug)]
pub struct LayerNormForward<'a> {
    /// input, `[n_rows, d]`
    pub x: &'a [f32],
    /// scale, `[d]`
    pub weight: &'a [f32],
    /// mean of each row of `x`, `[n_rows]`
    pub mean: &'a [f32],
    /// inverse standard deviation of each row of `x`, `[n_rows]`
    pub inv_std: &'a [f32],
}

/// Where [`layer_norm_backward`] leaves its gradients
#[derive(Debug)]
pub struct LayerNormGrads<'a> {
    /// gradient of the input, `[n_rows, d]`
    pub dx: &'a mut [f32],
    /// gradient of the scale, `[d]`, added to
    pub dweight: &'a mut [f32],
    /// gradient of the shift, `[d]`, added to
    pub dbias: &'a mut [f32],
}

/// Each row of `x` brought to mean 0 and variance 1, then scaled by `weight` and shifted by `bias`, written to `y`
///
/// `mean` and `inv_std = 1 / sqrt(var + eps)` of each row are kept for the backward pass; `var` divides by `d`.
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `x`, `y` | `[n_rows, d]`, with `d = weight.len()` |
/// | `weight`, `bias` | `[d]` |
/// | `mean`, `inv_std` | `[n_rows]` |
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// let (mut y, mut mean, mut inv_std) = ([0.0; 2], [0.0], [0.0]);
/// sepo_kernels::layer_norm(&[1.0, 3.0], &[1.0, 1.0], &[0.0, 5.0], 0.0, &mut y, &mut mean, &mut inv_std);
/// assert_eq!((y, mean, inv_std), ([-1.0, 6.0], [2.0], [1.0]));
/// ```
pub fn layer_norm(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    y: &mut [f32],
    mean: &mut [f32],
    inv_std: &mut [f32],
) {
    let n_rows = assert_rows(x, weight.len());
    assert_eq!(bias.len(), weight.len(), "`bias` must be as long as `weight`");
    assert_eq!(y.len(), x.len(), "`y` must be as long as `x`");
    assert_eq!((mean.len(), inv_std.len()), (n_rows, n_rows), "statistics must have one value a row");
    cpu::layer_norm(x, weight, bias, eps, y, mean, inv_std);
}

/// The gradients of [`layer_norm`]: `dx` written as `write` says, `dweight` and `dbias` added to
///
/// With `n = (x - mean) inv_std` and `g = dy weight`: `dx = inv_std (g - mean(g) - n mean(g n))`, `dweight = Σ dy n`,
/// `dbias = Σ dy`.
///
/// # Panics
/// Where a slice does not have its shape; `dy` is `[n_rows, d]`.
///
/// # Examples
/// ```
/// use sepo_kernels::{LayerNormForward, LayerNormGrads, Write, layer_norm_backward};
///
/// let forward = LayerNormForward { x: &[1.0, 3.0], weight: &[1.0, 1.0], mean: &[2.0], inv_std: &[1.0] };
/// let (mut dx, mut dweight, mut dbias) = ([0.0; 2], [0.0; 2], [0.0; 2]);
/// let grads = LayerNormGrads { dx: &mut dx, dweight: &mut dweight, dbias: &mut dbias };
/// layer_norm_backward(forward, &[1.0, 1.0], grads, Write::Overwrite);
/// assert_eq!((dx, dweight, dbias), ([0.0, 0.0], [-1.0, 1.0], [1.0, 1.0]));
/// ```
pub fn layer_norm_backward(
    forward: LayerNormForward<'_>,
    dy: &[f32],
    grads: LayerNormGrads<'_>,
    write: Write,
) {
    let LayerNormForward { x, weight, mean, inv_std } = forward;
    let n_rows = assert_rows(x, weight.len());
    assert_eq!((mean.len(), inv_std.len()), (n_rows, n_rows), "statistics must have one value a row");
    assert_eq!(dy.len(), x.len(), "`dy` must be as long as `x`");
    assert_eq!(grads.dx.len(), x.len(), "`dx` must be as long as `x`");
    assert_eq!(grads.dweight.len(), weight.len(), "`dweight` must be as long as `weight`");
    assert_eq!(grads.dbias.len(), weight.len(), "`dbias` must be as long as `weight`");
    cpu::layer_norm_backward(forward, dy, grads, write);
}
