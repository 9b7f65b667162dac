//! The gated activation of Llama-like MLPs (arXiv 2002.05202)

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::shape::{assert_shape, n_values};

/// The product `silu(gate) up`, value by value, with `silu(x) = x / (1 + e^-x)`
///
/// Gate and up stand side by side, as one product makes both.
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `gate_up` | `[n_rows, 2 d]`: `d` values of the gate, then `d` of up |
/// | `out` | `[n_rows, d]` |
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// let mut out = [0.0; 2];
/// sepo_kernels::swiglu(&[0.0, 100.0, 3.0, 2.0], &mut out, 2);
/// assert_eq!(out, [0.0, 200.0]);
/// ```
pub fn swiglu(gate_up: &[f32], out: &mut [f32], d: usize) {
    check(gate_up.len(), out.len(), d);
    cpu::swiglu(gate_up, out, d);
}

/// The gradient of [`swiglu`], overwriting `dgate_up`
///
/// Shapes as in [`swiglu`], with `dout` as `out` and `dgate_up` as `gate_up`.
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// let mut dgate_up = [0.0; 2];
/// sepo_kernels::swiglu_backward(&[0.0, 3.0], &[1.0], &mut dgate_up, 1);
/// assert_eq!(dgate_up, [1.5, 0.0]);
/// ```
pub fn swiglu_backward(gate_up: &[f32], dout: &[f32], dgate_up: &mut [f32], d: usize) {
    check(gate_up.len(), dout.len(), d);
    assert_eq!(dgate_up.len(), gate_up.len(), "`dgate_up` must be as long as `gate_up`");
    cpu::swiglu_backward(gate_up, dout, dgate_up, d);
}

/// How many rows there are, of `out_len` values with `d` in each
fn check(gate_up_len: usize, out_len: usize, d: usize) -> usize {
    let n_rows = out_len.checked_div(d).unwrap_or(0);
    assert_eq!(out_len, n_rows * d, "the output side must be rows of {d}");
    assert_shape("`gate_up`", gate_up_len, [n_rows, n_values([2, d])]);
    n_rows
}
