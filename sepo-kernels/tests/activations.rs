//! Activations against `f64`

mod naive;

use naive::{assert_close, finite_differences, wide};
use sepo_kernels::{Gelu, gelu, gelu_backward, swiglu, swiglu_backward};

/// A grid over -12..12, with the values where formulas break
fn inputs() -> Vec<f32> {
    let grid = (-1200_i16..=1200).map(|i| f32::from(i) / 100.0);
    grid.chain([1e-20, -1e-20, 30.0, -30.0, 88.5, -88.5, 1000.0, -1000.0]).collect()
}

fn gelu_naive(x: f64, kind: Gelu) -> f64 {
    match kind {
        Gelu::Exact => 0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
        Gelu::Tanh => {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        }
    }
}

fn silu_naive(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

#[test]
fn gelu_agrees_with_its_formula() {
    for kind in [Gelu::Exact, Gelu::Tanh] {
        let x = inputs();
        let mut y = vec![f32::NAN; x.len()];
        gelu(&x, &mut y, kind);
        for (&x, &y) in x.iter().zip(&y) {
            let expected = gelu_naive(f64::from(x), kind);
            let error = (f64::from(y) - expected).abs();
            assert!(error <= 1e-6 * expected.abs() + 1e-7, "{kind:?} of {x} is {y}, expected {expected}");
        }
    }
}

#[test]
fn the_exact_tail_keeps_its_digits() {
    let x: Vec<f32> = (0_u8..=50).map(|i| -f32::from(i) / 10.0).collect();
    let mut y = vec![f32::NAN; x.len()];
    gelu(&x, &mut y, Gelu::Exact);
    for (&x, &y) in x.iter().zip(&y) {
        let expected = gelu_naive(f64::from(x), Gelu::Exact);
        assert!((f64::from(y) - expected).abs() <= 2e-6 * expected.abs(), "{x}: {y}, expected {expected}");
    }
}

#[test]
fn gelu_gradient_agrees_with_finite_differences() {
    for kind in [Gelu::Exact, Gelu::Tanh] {
        let x = inputs();
        let (dy, mut dx) = (vec![1.5; x.len()], vec![f32::NAN; x.len()]);
        gelu_backward(&x, &dy, &mut dx, kind);
        let slope = |x: f64| 1.5 * finite_differences(&[x], |x| gelu_naive(x[0], kind))[0];
        assert_close(&dx, &wide(&x).into_iter().map(slope).collect::<Vec<_>>(), 2e-6);
    }
}

#[test]
fn swiglu_agrees_with_its_formula_and_its_gradient_with_finite_differences() {
    let gate = inputs();
    let n = gate.len();
    let (up, dout) = (naive::values(1, n, 2.0), naive::values(2, n, 2.0));
    for d in [1, 7, n] {
        // As many rows as there are whole ones.
        let n = n / d * d;
        let rows = gate[..n].chunks_exact(d).zip(up[..n].chunks_exact(d));
        let gate_up: Vec<f32> = rows.flat_map(|(gate, up)| [gate, up].concat()).collect();
        let (mut out, mut dgate_up) = (vec![f32::NAN; n], vec![f32::NAN; 2 * n]);
        swiglu(&gate_up, &mut out, d);
        swiglu_backward(&gate_up, &dout[..n], &mut dgate_up, d);
        assert_swiglu((&gate, &up, &dout), &out, &dgate_up, d);
    }
}

#[track_caller]
fn assert_swiglu((gate, up, dout): (&[f32], &[f32], &[f32]), out: &[f32], dgate_up: &[f32], d: usize) {
    for i in 0..out.len() {
        let at = i / d * 2 * d + i % d;
        let (dgate, dup) = (dgate_up[at], dgate_up[at + d]);
        let (g, u, d) = (f64::from(gate[i]), f64::from(up[i]), f64::from(dout[i]));
        let close = |actual: f32, expected: f64| {
            let error = (f64::from(actual) - expected).abs();
            assert!(error <= 2e-6 * expected.abs().max(1.0), "at {g}: {actual}, expected {expected}");
        };
        close(out[i], silu_naive(g) * u);
        close(dup, silu_naive(g) * d);
        close(dgate, finite_differences(&[g], |g| silu_naive(g[0]) * u * d)[0]);
    }
}

#[test]
fn not_a_number_stays_not_a_number() {
    let mut y = [0.0; 1];
    for kind in [Gelu::Exact, Gelu::Tanh] {
        gelu(&[f32::NAN], &mut y, kind);
        assert!(y[0].is_nan());
    }
    swiglu(&[f32::NAN, 1.0], &mut y, 1);
    assert!(y[0].is_nan());
}
