//! Linear maps on the CPU: three strided products

use super::LinearShape;
use crate::matmul::{Mat, Product, Threads};
use crate::{Precision, Write};

pub(super) fn linear(
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    shape: LinearShape,
    write: Write,
    precision: Precision,
) {
    let LinearShape { n_rows, d_in, d_out } = shape;
    let product = Product { m: n_rows, n: d_out, k: d_in, scale: 1.0 };
    let weight = Mat::rows(weight, d_in).transposed();
    precision.matmul()(Mat::rows(x, d_in), weight, y, d_out, product, write, Threads::Pool);
}

pub(super) fn linear_backward_input(
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    shape: LinearShape,
    write: Write,
    precision: Precision,
) {
    let LinearShape { n_rows, d_in, d_out } = shape;
    let product = Product { m: n_rows, n: d_in, k: d_out, scale: 1.0 };
    precision.matmul()(
        Mat::rows(dy, d_out),
        Mat::rows(weight, d_in),
        dx,
        d_in,
        product,
        write,
        Threads::Pool,
    );
}

pub(super) fn linear_backward_weight(
    x: &[f32],
    dy: &[f32],
    dweight: &mut [f32],
    shape: LinearShape,
    precision: Precision,
) {
    let LinearShape { n_rows, d_in, d_out } = shape;
    let product = Product { m: d_out, n: d_in, k: n_rows, scale: 1.0 };
    let dy = Mat::rows(dy, d_out).transposed();
    precision.matmul()(dy, Mat::rows(x, d_in), dweight, d_in, product, Write::Add, Threads::Pool);
}
