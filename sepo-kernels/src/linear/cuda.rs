//! Linear maps on a device: one product each

use super::LinearShape;
use crate::Write;
use crate::device::{DeviceError, Executor, Float, Matrix, MatrixProduct, Slice, SliceMut};

/// The product `y (+)= x Wᵀ`, as [`linear`](crate::linear) on the CPU
///
/// # Errors
/// Where the product cannot be launched.
///
/// # Panics
/// Where a slice does not have its shape.
pub fn linear<T: Float>(
    on: &impl Executor,
    x: Slice<'_, T>,
    weight: Slice<'_, T>,
    y: SliceMut<'_, T>,
    shape: LinearShape,
    write: Write,
) -> Result<(), DeviceError> {
    shape.check_lens(x.len(), weight.len(), y.len());
    let LinearShape { n_rows, d_in, d_out } = shape;
    let weight = Matrix::rows(weight, d_in).transposed();
    multiply(on, (Matrix::rows(x, d_in), weight), y, [n_rows, d_out, d_in], write.into())
}

/// The sum `y = onto + x Wᵀ`: a residual that costs no pass of its own, since the product reads it where it would read `y`
///
/// Shapes as in [`linear`], with `onto` as `y`.
///
/// # Errors
/// Where the product cannot be launched.
///
/// # Panics
/// Where a slice does not have its shape, or `d_in` is 0.
pub fn linear_onto<T: Float>(
    on: &impl Executor,
    x: Slice<'_, T>,
    weight: Slice<'_, T>,
    onto: Slice<'_, T>,
    y: SliceMut<'_, T>,
    shape: LinearShape,
) -> Result<(), DeviceError> {
    shape.check_lens(x.len(), weight.len(), y.len());
    assert_eq!(onto.len(), y.len(), "`onto` must be as long as `y`");
    let LinearShape { n_rows, d_in, d_out } = shape;
    let weight = Matrix::rows(weight, d_in).transposed();
    let onto = Base::Other(Matrix::rows(onto, d_out));
    multiply(on, (Matrix::rows(x, d_in), weight), y, [n_rows, d_out, d_in], onto)
}

/// The gradient with respect to the input, `dx (+)= dy W`, as [`linear_backward_input`](crate::linear_backward_input) on the
/// CPU
///
/// # Errors
/// Where the product cannot be launched.
///
/// # Panics
/// Where a slice does not have its shape.
pub fn linear_backward_input<T: Float>(
    on: &impl Executor,
    dy: Slice<'_, T>,
    weight: Slice<'_, T>,
    dx: SliceMut<'_, T>,
    shape: LinearShape,
    write: Write,
) -> Result<(), DeviceError> {
    shape.check_lens(dx.len(), weight.len(), dy.len());
    let LinearShape { n_rows, d_in, d_out } = shape;
    multiply(
        on,
        (Matrix::rows(dy, d_out), Matrix::rows(weight, d_in)),
        dx,
        [n_rows, d_in, d_out],
        write.into(),
    )
}

/// The gradient with respect to the weight, `dweight += dyᵀ x`, as [`linear_backward_weight`](crate::linear_backward_weight)
/// on the CPU; summed in f32
///
/// # Errors
/// Where the product cannot be launched.
///
/// # Panics
/// Where a slice does not have its shape.
pub fn linear_backward_weight<T: Float>(
    on: &impl Executor,
    x: Slice<'_, T>,
    dy: Slice<'_, T>,
    dweight: SliceMut<'_, f32>,
    shape: LinearShape,
) -> Result<(), DeviceError> {
    shape.check_lens(x.len(), dweight.len(), dy.len());
    let LinearShape { n_rows, d_in, d_out } = shape;
    let dy = Matrix::rows(dy, d_out).transposed();
    multiply(on, (dy, Matrix::rows(x, d_in)), dweight, [d_out, d_in, n_rows], Base::Out)
}

/// What a product is added to
#[derive(Clone, Copy)]
enum Base {
    Nothing,
    /// what stands where the sum goes
    Out,
    Other(Matrix),
}

impl From<Write> for Base {
    fn from(write: Write) -> Self {
        match write {
            Write::Overwrite => Self::Nothing,
            Write::Add => Self::Out,
        }
    }
}

/// `out = base + a b`, whose lengths have been checked; a sum of nothing is 0
#[expect(unsafe_code, reason = "a product")]
fn multiply<T: Float>(
    on: &impl Executor,
    (a, b): (Matrix, Matrix),
    out: SliceMut<'_, T>,
    [m, n, k]: [usize; 3],
    base: Base,
) -> Result<(), DeviceError> {
    if out.is_empty() {
        return Ok(());
    }
    assert!(k > 0 || matches!(base, Base::Out), "a map from nothing has nothing to write");
    if k == 0 {
        return Ok(());
    }
    let out = Matrix::rows(out.as_slice(), n);
    let onto = match base {
        Base::Nothing => None,
        Base::Out => Some(out),
        Base::Other(onto) => Some(onto),
    };
    let product = MatrixProduct { a, b, out, m, n, k, scale: 1.0, onto };
    // SAFETY: the matrices are whole slices, borrowed to be read but for the one that is written.
    unsafe { on.matmul(&product) }
}
