//! A bias added to every row, and its gradient

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::tasks::assert_rows;

/// Every row of `y` plus `bias`, in place
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `y` | `[n_rows, d]`, with `n_rows = y.len() / bias.len()` |
/// | `bias` | `[d]` |
///
/// # Panics
/// Where `y` is not whole rows of `bias.len()` values.
///
/// # Examples
/// ```
/// let mut y = [1.0, 2.0, 3.0, 4.0];
/// sepo_kernels::add_bias(&mut y, &[10.0, 20.0]);
/// assert_eq!(y, [11.0, 22.0, 13.0, 24.0]);
/// ```
pub fn add_bias(y: &mut [f32], bias: &[f32]) {
    assert_rows(y, bias.len());
    cpu::add_bias(y, bias);
}

/// The column sums of `dy`, added to `dbias`
///
/// Shapes as in [`add_bias`].
///
/// # Panics
/// Where `dy` is not whole rows of `dbias.len()` values.
///
/// # Examples
/// ```
/// let mut dbias = [100.0, 0.0];
/// sepo_kernels::bias_backward(&[1.0, 2.0, 3.0, 4.0], &mut dbias);
/// assert_eq!(dbias, [104.0, 6.0]);
/// ```
pub fn bias_backward(dy: &[f32], dbias: &mut [f32]) {
    assert_rows(dy, dbias.len());
    cpu::bias_backward(dy, dbias);
}
