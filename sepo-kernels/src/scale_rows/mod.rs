//! Rows multiplied by a factor each

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

/// Every row of `x` times its own factor, in place
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `x` | `[factors.len(), d]` |
/// | `factors` | one value a row |
///
/// # Panics
/// Where `x` is not as many rows of `d` values as there are factors.
///
/// # Examples
/// ```
/// let mut x = [1.0, 2.0, 3.0, 4.0];
/// sepo_kernels::scale_rows(&mut x, 2, &[10.0, -1.0]);
/// assert_eq!(x, [10.0, 20.0, -3.0, -4.0]);
/// ```
pub fn scale_rows(x: &mut [f32], d: usize, factors: &[f32]) {
    crate::shape::assert_shape("`x`", x.len(), [factors.len(), d]);
    cpu::scale_rows(x, d, factors);
}
