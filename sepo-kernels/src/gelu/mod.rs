//! Gaussian error linear units (arXiv 1606.08415), the activation of GPT-NeoX MLPs

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

/// Which formula is meant by GELU
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gelu {
    /// `x Φ(x)`, with the normal distribution function (`gelu` in Hugging Face configs)
    Exact,
    /// `x σ(2 √(2/π) (x + 0.044715 x³))`, the same as the `tanh` form (`gelu_new`, `gelu_pytorch_tanh`)
    Tanh,
}

/// The activation of every value of `x`, written to `y`
///
/// # Numerics
/// `Φ` is within 1e-6 of its value, relative to it, down to `x = -5`.
///
/// # Panics
/// Where the lengths differ.
///
/// # Examples
/// ```
/// use sepo_kernels::{Gelu, gelu};
///
/// let mut y = [0.0; 3];
/// gelu(&[-100.0, 0.0, 1.0], &mut y, Gelu::Exact);
/// assert_eq!(y[..2], [0.0, 0.0]);
/// assert!((y[2] - 0.841_344_7).abs() < 1e-6);
/// ```
pub fn gelu(x: &[f32], y: &mut [f32], kind: Gelu) {
    assert_eq!(y.len(), x.len(), "`y` must be as long as `x`");
    cpu::gelu(x, y, kind);
}

/// The gradient of [`gelu`] with respect to `x`, overwriting `dx`
///
/// # Panics
/// Where the lengths differ.
///
/// # Examples
/// ```
/// use sepo_kernels::{Gelu, gelu_backward};
///
/// let mut dx = [0.0; 2];
/// gelu_backward(&[0.0, 50.0], &[2.0, 3.0], &mut dx, Gelu::Tanh);
/// assert_eq!(dx, [1.0, 3.0]);
/// ```
pub fn gelu_backward(x: &[f32], dy: &[f32], dx: &mut [f32], kind: Gelu) {
    let n = x.len();
    assert!(dy.len() == n && dx.len() == n, "lengths {n}, {} and {} differ", dy.len(), dx.len());
    cpu::gelu_backward(x, dy, dx, kind);
}
