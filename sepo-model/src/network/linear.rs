//! Linear maps with an optional bias, addressed in the flat buffer.

use sepo_kernels::{LinearShape, Write, add_bias, bias_backward};
use sepo_kernels::{linear, linear_backward_input, linear_backward_weight};

use super::Weights;
use crate::architecture::LinearAt;

/// Sizes of a map whose bias or weight is at `at`.
fn shape(at: &LinearAt, x: &[f32], d_in: usize) -> LinearShape {
    LinearShape { n_rows: x.len() / d_in, d_in, d_out: at.weight.len() / d_in }
}

/// `y = x Wᵀ + b`, or `y += …`.
///
/// | argument | shape |
/// |---|---|
/// | `x` | `[n, d_in]` |
/// | `y` | `[n, d_out]` |
pub(crate) fn linear_forward(
    weights: Weights<'_>,
    at: &LinearAt,
    d_in: usize,
    x: &[f32],
    y: &mut [f32],
    write: Write,
) {
    linear(x, weights.at(&at.weight), y, shape(at, x, d_in), write, weights.precision);
    if let Some(bias) = &at.bias {
        add_bias(y, weights.at(bias));
    }
}

/// The gradient with respect to the input into `dx`, and those of weight and bias added to `gradient`.
pub(crate) struct LinearBackward<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) at: &'a LinearAt,
    pub(crate) d_in: usize,
    pub(crate) x: &'a [f32],
    pub(crate) dy: &'a [f32],
}

impl LinearBackward<'_> {
    pub(crate) fn run(self, dx: &mut [f32], write: Write, gradient: &mut [f32]) {
        let Self { weights, at, d_in, x, dy } = self;
        let shape = shape(at, x, d_in);
        linear_backward_input(dy, weights.at(&at.weight), dx, shape, write, weights.precision);
        linear_backward_weight(x, dy, &mut gradient[at.weight.clone()], shape, weights.precision);
        if let Some(bias) = &at.bias {
            bias_backward(dy, &mut gradient[bias.clone()]);
        }
    }
}
