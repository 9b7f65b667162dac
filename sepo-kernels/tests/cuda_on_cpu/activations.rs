//! Activations and biases: value by value

use crate::machine::{Machine, machines};
use crate::rounding::{Rounded, assert_rounded, floats, values};
use sepo_kernels::cuda::{self, Bf16, partials_len};
use sepo_kernels::{Gelu, add_bias, bias_backward, gelu, gelu_backward, swiglu, swiglu_backward};

fn compare_swiglu<T: Rounded>(on: &Machine, n_rows: usize, d: usize) {
    let (gate_up, dout) = (values::<T>(1, 2 * n_rows * d, 6.0), values::<T>(2, n_rows * d, 1.0));
    let mut out = vec![0.0; n_rows * d];
    swiglu(&floats(&gate_up), &mut out, d);
    let (at_gate_up, at_dout) = (on.memory(&gate_up), on.memory(&dout));
    let mut at_out = on.garbage::<T>(n_rows * d);
    cuda::swiglu(on, at_gate_up.slice(), at_out.slice_mut(), d).expect("a launch");
    assert_rounded(&at_out.read(), &out, 1e-6);

    let mut dgate_up = vec![0.0; 2 * n_rows * d];
    swiglu_backward(&floats(&gate_up), &floats(&dout), &mut dgate_up, d);
    let mut at_dgate_up = on.garbage::<T>(2 * n_rows * d);
    cuda::swiglu_backward(on, at_gate_up.slice(), at_dout.slice(), at_dgate_up.slice_mut(), d)
        .expect("a launch");
    assert_rounded(&at_dgate_up.read(), &dgate_up, 1e-6);
}

fn compare_gelu<T: Rounded>(on: &Machine, n: usize, kind: Gelu) {
    let (x, dy) = (values::<T>(1, n, 6.0), values::<T>(2, n, 1.0));
    let (mut y, mut dx) = (vec![0.0; n], vec![0.0; n]);
    gelu(&floats(&x), &mut y, kind);
    gelu_backward(&floats(&x), &floats(&dy), &mut dx, kind);
    let (at_x, at_dy) = (on.memory(&x), on.memory(&dy));
    let (mut at_y, mut at_dx) = (on.garbage::<T>(n), on.garbage::<T>(n));
    cuda::gelu(on, at_x.slice(), at_y.slice_mut(), kind).expect("a launch");
    cuda::gelu_backward(on, at_x.slice(), at_dy.slice(), at_dx.slice_mut(), kind).expect("a launch");
    assert_rounded(&at_y.read(), &y, 1e-6);
    assert_rounded(&at_dx.read(), &dx, 1e-6);
}

fn compare_bias<T: Rounded>(on: &Machine, n_rows: usize, d: usize) {
    let (x, bias) = (values::<T>(1, n_rows * d, 2.0), values::<T>(2, d, 1.0));
    let mut y = floats(&x);
    add_bias(&mut y, &floats(&bias));
    let (mut at_y, at_bias) = (on.memory(&x), on.memory(&bias));
    cuda::add_bias(on, at_y.slice_mut(), at_bias.slice()).expect("a launch");
    assert_rounded(&at_y.read(), &y, 1e-7);

    let mut dbias = vec![0.5; d];
    bias_backward(&floats(&x), &mut dbias);
    let (at_dy, mut at_dbias) = (on.memory(&x), on.memory(&vec![0.5_f32; d]));
    let mut partials = on.garbage(partials_len(n_rows, d));
    cuda::bias_backward(on, at_dy.slice(), at_dbias.slice_mut(), partials.slice_mut()).expect("a launch");
    assert_rounded(&at_dbias.read(), &dbias, 2e-6);
}

#[test]
fn gated_activations_agree_with_the_cpu_form() {
    for on in machines() {
        for (n_rows, d) in [(0, 3), (1, 1), (5, 13), (3, 256), (70, 8)] {
            compare_swiglu::<f32>(&on, n_rows, d);
            compare_swiglu::<Bf16>(&on, n_rows, d);
        }
    }
}

#[test]
fn gaussian_error_linear_units_agree_with_the_cpu_form() {
    for on in machines() {
        for kind in [Gelu::Exact, Gelu::Tanh] {
            for n in [0, 1, 7, 2500] {
                compare_gelu::<f32>(&on, n, kind);
                compare_gelu::<Bf16>(&on, n, kind);
            }
        }
    }
}

#[test]
fn biases_agree_with_the_cpu_form() {
    for on in machines() {
        for (n_rows, d) in [(0, 3), (1, 1), (5, 13), (700, 24), (3, 1100)] {
            compare_bias::<f32>(&on, n_rows, d);
            compare_bias::<Bf16>(&on, n_rows, d);
        }
    }
}
