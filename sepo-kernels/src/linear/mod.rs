//! Linear maps `y = x Wᵀ` as Hugging Face stores them, and both halves of their backward pass

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::shape::assert_shape;
use crate::{Precision, Write};

/// Sizes of a linear map
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearShape {
    /// rows of `x` and `y`
    pub n_rows: usize,
    /// values in a row of `x`
    pub d_in: usize,
    /// values in a row of `y`
    pub d_out: usize,
}

impl LinearShape {
    fn check(&self, x: &[f32], weight: &[f32], y: &[f32]) {
        self.check_lens(x.len(), weight.len(), y.len());
    }

    fn check_lens(&self, x: usize, weight: usize, y: usize) {
        let &Self { n_rows, d_in, d_out } = self;
        assert_shape("the input side", x, [n_rows, d_in]);
        assert_shape("the weight", weight, [d_out, d_in]);
        assert_shape("the output side", y, [n_rows, d_out]);
    }
}

/// The product `y (+)= x Wᵀ`
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `x` | `[n_rows, d_in]` |
/// | `weight` | `[d_out, d_in]` |
/// | `y` | `[n_rows, d_out]` |
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// use sepo_kernels::{LinearShape, Precision, Write, linear};
///
/// let shape = LinearShape { n_rows: 1, d_in: 2, d_out: 3 };
/// let mut y = [0.0; 3];
/// linear(&[1.0, 2.0], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0], &mut y, shape, Write::Overwrite, Precision::F32);
/// assert_eq!(y, [1.0, 2.0, 3.0]);
/// ```
pub fn linear(
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    shape: LinearShape,
    write: Write,
    precision: Precision,
) {
    shape.check(x, weight, y);
    cpu::linear(x, weight, y, shape, write, precision);
}

/// The gradient with respect to the input, `dx (+)= dy W`
///
/// Shapes as in [`linear`], with `dx` as `x` and `dy` as `y`.
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// use sepo_kernels::{LinearShape, Precision, Write, linear_backward_input};
///
/// let shape = LinearShape { n_rows: 1, d_in: 2, d_out: 1 };
/// let mut dx = [1.0; 2];
/// linear_backward_input(&[10.0], &[2.0, 3.0], &mut dx, shape, Write::Add, Precision::F32);
/// assert_eq!(dx, [21.0, 31.0]);
/// ```
pub fn linear_backward_input(
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
    shape: LinearShape,
    write: Write,
    precision: Precision,
) {
    shape.check(dx, weight, dy);
    cpu::linear_backward_input(dy, weight, dx, shape, write, precision);
}

/// The gradient with respect to the weight, `dweight += dyᵀ x`
///
/// Shapes as in [`linear`], with `dweight` as `weight` and `dy` as `y`.
///
/// # Panics
/// Where a slice does not have its shape.
///
/// # Examples
/// ```
/// use sepo_kernels::{LinearShape, Precision, linear_backward_weight};
///
/// let shape = LinearShape { n_rows: 2, d_in: 1, d_out: 1 };
/// let mut dweight = [0.5];
/// linear_backward_weight(&[1.0, 2.0], &[3.0, 4.0], &mut dweight, shape, Precision::F32);
/// assert_eq!(dweight, [11.5]);
/// ```
pub fn linear_backward_weight(
    x: &[f32],
    dy: &[f32],
    dweight: &mut [f32],
    shape: LinearShape,
    precision: Precision,
) {
    shape.check(x, dweight, dy);
    cpu::linear_backward_weight(x, dy, dweight, shape, precision);
}
