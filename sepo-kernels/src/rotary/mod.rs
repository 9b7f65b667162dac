//! Rotary position embedding (arXiv 2104.09864) in the `rotate_half` convention of Hugging Face

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(feature = "cuda")]
pub(crate) mod plan;
mod table;

use crate::shape::{assert_shape, n_values};

pub use table::{RotaryConfig, RotaryScaling, RotaryTable};

/// The heads of `x` turned by the angles of their positions, in place
///
/// The first `rotary_dim` values of every head are turned, the rest stays. Value `i` of the first half goes with value
/// `i` of the second half: `(a, b)` becomes `(a cos - b sin, b cos + a sin)`.
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `x` | `[n_tokens, n_heads, head_dim]` |
/// | `positions` | `[n_tokens]`, position of token *t* in its own sequence |
///
/// # Panics
/// Where `x` does not have its shape, a head is narrower than the table's `rotary_dim`, or a position is not below the
/// table's `n_positions`.
///
/// # Examples
/// ```
/// use sepo_kernels::{RotaryConfig, RotaryScaling, RotaryTable, rotary};
///
/// let config = RotaryConfig { rotary_dim: 2, theta: 10000.0, scaling: RotaryScaling::None };
/// let table = RotaryTable::new(&config, 2);
/// let mut x = [1.0, 0.0, 7.0, 1.0, 0.0, 7.0];
/// rotary(&mut x, &[0, 1], &table, 1, 3);
/// assert_eq!(x, [1.0, 0.0, 7.0, 1.0_f32.cos(), 1.0_f32.sin(), 7.0]);
/// ```
pub fn rotary(x: &mut [f32], positions: &[u32], table: &RotaryTable, n_heads: usize, head_dim: usize) {
    let token_len = check(x, positions, table, n_heads, head_dim);
    cpu::rotate(x, positions, table, token_len, head_dim, 1.0);
}

/// The gradient of [`rotary`] with respect to its input, in place of the gradient of its output
///
/// A rotation's transpose is the rotation by the negative angle.
///
/// # Panics
/// As [`rotary`].
///
/// # Examples
/// ```
/// use sepo_kernels::{RotaryConfig, RotaryScaling, RotaryTable, rotary, rotary_backward};
///
/// let config = RotaryConfig { rotary_dim: 2, theta: 10000.0, scaling: RotaryScaling::None };
/// let table = RotaryTable::new(&config, 8);
/// let mut x = [1.0, 2.0];
/// rotary(&mut x, &[7], &table, 1, 2);
/// rotary_backward(&mut x, &[7], &table, 1, 2);
/// assert!((x[0] - 1.0).abs() < 1e-6 && (x[1] - 2.0).abs() < 1e-6);
/// ```
pub fn rotary_backward(
    dx: &mut [f32],
    positions: &[u32],
    table: &RotaryTable,
    n_heads: usize,
    head_dim: usize,
) {
    let token_len = check(dx, positions, table, n_heads, head_dim);
    cpu::rotate(dx, positions, table, token_len, head_dim, -1.0);
}

/// Checks what is turned; returns the values of a token
fn check(x: &[f32], positions: &[u32], table: &RotaryTable, n_heads: usize, head_dim: usize) -> usize {
    assert_shape("`x`", x.len(), [positions.len(), n_heads, head_dim]);
    let rotary_dim = table.rotary_dim();
    assert!(rotary_dim <= head_dim, "{rotary_dim} rotary values do not fit heads of {head_dim}");
    let (last, n_positions) = (positions.iter().max(), table.n_positions());
    if let Some(&last) = last {
        assert!((last as usize) < n_positions, "position {last} is past a table of {n_positions}");
    }
    n_values([n_heads, head_dim])
}
