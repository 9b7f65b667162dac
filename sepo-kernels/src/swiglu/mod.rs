//! The gated activation of Llama-like MLPs (arXiv 2002.05202)

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

/// The product `silu(gate) up`, value by value, with `silu(x) = x / (1 + e^-x)`
///
/// All three slices are of one length.
///
/// # Panics
/// Where the lengths differ.
///
/// # Examples
/// ```
/// let mut out = [0.0; 2];
/// sepo_kernels::swiglu(&[0.0, 100.0], &[3.0, 2.0], &mut out);
/// assert_eq!(out, [0.0, 200.0]);
/// ```
pub fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    let n = gate.len();
    assert!(up.len() == n && out.len() == n, "lengths {n}, {} and {} differ", up.len(), out.len());
    cpu::swiglu(gate, up, out);
}

/// The gradients of [`swiglu`] with respect to `gate` and `up`, overwriting `dgate` and `dup`
///
/// All five slices are of one length.
///
/// # Panics
/// Where the lengths differ.
///
/// # Examples
/// ```
/// let (mut dgate, mut dup) = ([0.0], [0.0]);
/// sepo_kernels::swiglu_backward(&[0.0], &[3.0], &[1.0], &mut dgate, &mut dup);
/// assert_eq!((dgate, dup), ([1.5], [0.0]));
/// ```
pub fn swiglu_backward(gate: &[f32], up: &[f32], dout: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
    let n = gate.len();
    assert!(up.len() == n && dout.len() == n, "lengths {n}, {} and {} differ", up.len(), dout.len());
    assert!(dgate.len() == n && dup.len() == n, "lengths {n}, {} and {} differ", dgate.len(), dup.len());
    cpu::swiglu_backward(gate, up, dout, dgate, dup);
}
