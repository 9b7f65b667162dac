//! Linear maps: what a product is asked for, served by plain loops in the place of cuBLASLt

use crate::machine::{Machine, machines};
use crate::rounding::{Rounded, assert_rounded, floats, values};
use sepo_kernels::cuda::{self, Bf16};
use sepo_kernels::{LinearShape, Precision, Write, linear, linear_backward_input, linear_backward_weight};

fn compare<T: Rounded>(on: &Machine, shape: LinearShape, write: Write) {
    let LinearShape { n_rows, d_in, d_out } = shape;
    let (x, weight) = (values::<T>(1, n_rows * d_in, 1.0), values::<T>(2, d_out * d_in, 1.0));
    let (dy, onto) = (values::<T>(3, n_rows * d_out, 1.0), values::<T>(4, n_rows * d_out, 2.0));
    let before = values::<T>(5, n_rows * d_in, 2.0);
    let (at_x, at_weight, at_dy) = (on.memory(&x), on.memory(&weight), on.memory(&dy));
    let (wide_x, wide_weight, wide_dy) = (floats(&x), floats(&weight), floats(&dy));

    let mut y = floats(&onto);
    linear(&wide_x, &wide_weight, &mut y, shape, write, Precision::F32);
    let mut at_y = on.memory(&onto);
    cuda::linear(on, at_x.slice(), at_weight.slice(), at_y.slice_mut(), shape, write).expect("a product");
    assert_rounded(&at_y.read(), &y, 1e-6);

    // Onto values that stand elsewhere, and stay as they are.
    let mut y = floats(&onto);
    linear(&wide_x, &wide_weight, &mut y, shape, Write::Add, Precision::F32);
    let (at_onto, mut at_y) = (on.memory(&onto), on.garbage::<T>(onto.len()));
    let to = (at_onto.slice(), at_y.slice_mut());
    cuda::linear_onto(on, at_x.slice(), at_weight.slice(), to.0, to.1, shape).expect("a product");
    assert_rounded(&at_y.read(), &y, 1e-6);
    assert_eq!(floats(&at_onto.read()), floats(&onto));

    let mut dx = floats(&before);
    linear_backward_input(&wide_dy, &wide_weight, &mut dx, shape, write, Precision::F32);
    let mut at_dx = on.memory(&before);
    cuda::linear_backward_input(on, at_dy.slice(), at_weight.slice(), at_dx.slice_mut(), shape, write)
        .expect("a product");
    assert_rounded(&at_dx.read(), &dx, 1e-6);

    let mut dweight = vec![0.5; weight.len()];
    linear_backward_weight(&wide_x, &wide_dy, &mut dweight, shape, Precision::F32);
    let mut at_dweight = on.memory(&vec![0.5_f32; weight.len()]);
    cuda::linear_backward_weight(on, at_x.slice(), at_dy.slice(), at_dweight.slice_mut(), shape)
        .expect("a product");
    assert_rounded(&at_dweight.read(), &dweight, 1e-6);
}

#[test]
fn agree_with_the_cpu_form() {
    for on in machines() {
        for [n_rows, d_in, d_out] in [[0, 3, 2], [1, 1, 1], [3, 5, 7], [33, 16, 24], [8, 40, 3]] {
            for write in [Write::Overwrite, Write::Add] {
                let shape = LinearShape { n_rows, d_in, d_out };
                compare::<f32>(&on, shape, write);
                compare::<Bf16>(&on, shape, write);
            }
        }
    }
}
