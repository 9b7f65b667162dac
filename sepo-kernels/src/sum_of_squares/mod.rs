//! The squared norm of a long slice

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

/// The sum of the squares of `x`, accumulated in `f64`
///
/// The same for every number of threads. Not finite where a value is not.
///
/// # Examples
/// ```
/// assert_eq!(sepo_kernels::sum_of_squares(&[3.0, 4.0]), 25.0);
/// ```
#[must_use]
pub fn sum_of_squares(x: &[f32]) -> f64 {
    cpu::sum_of_squares(x)
}
