//! Who runs launches and matrix products

use super::{DeviceError, ElementKind, Float, Launch, Slice};
use crate::shape::last_index;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whose memory an address is of: each executor has one that no other has
///
/// Two executors may share a device and know each other's addresses. What they run is not ordered, so that memory of one is
/// no memory to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExecutorId(u64);

impl ExecutorId {
    /// One that nobody has yet
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::cuda::ExecutorId;
    ///
    /// assert_ne!(ExecutorId::unique(), ExecutorId::unique());
    /// ```
    #[must_use]
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A matrix in device memory; one of its strides is 1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Matrix {
    /// whose memory it lies in
    pub owner: ExecutorId,
    /// where its first value lies
    pub address: u64,
    /// values from there on, within which it ends
    pub len: usize,
    /// type of its values: `F32` or `Bf16`
    pub kind: ElementKind,
    /// from a row to the next
    pub row_stride: usize,
    /// from a column to the next
    pub column_stride: usize,
}

impl Matrix {
    /// The slice as rows that start `stride` apart
    #[must_use]
    pub fn rows<T: Float>(values: Slice<'_, T>, stride: usize) -> Self {
        let (owner, address, len) = (values.owner(), values.address(), values.len());
        Self { owner, address, len, kind: T::KIND, row_stride: stride, column_stride: 1 }
    }

    /// The same values, with rows for columns
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }
}

/// `out = scale a b`, or `out = onto + scale a b`
#[derive(Clone, Copy, Debug)]
pub struct MatrixProduct {
    /// `[m, k]`
    pub a: Matrix,
    /// `[k, n]`, of the type of `a`
    pub b: Matrix,
    /// `[m, n]`
    pub out: Matrix,
    /// rows of the result
    pub m: usize,
    /// columns of the result
    pub n: usize,
    /// values that each result sums
    pub k: usize,
    /// factor of the product
    pub scale: f32,
    /// what the product is added to, `[m, n]`, of the type of `out`; may be `out` itself
    pub onto: Option<Matrix>,
}

impl MatrixProduct {
    /// What every executor looks at before it multiplies
    ///
    /// # Panics
    /// Where there is nothing to multiply, a matrix lies in memory of another executor than `on`, or does not end within its
    /// values, or the operands are of two types, or `out` and what it is made of.
    pub fn check(&self, on: ExecutorId) {
        let &Self { a, b, out, m, n, k, onto, .. } = self;
        let onto = onto.unwrap_or(out);
        assert!(m > 0 && n > 0 && k > 0, "a product of nothing");
        assert_eq!(a.kind, b.kind, "operands are of one type");
        assert_eq!(onto.kind, out.kind, "a sum is of the type of what it is added to");
        for (matrix, shape) in [(a, [m, k]), (b, [k, n]), (out, [m, n]), (onto, [m, n])] {
            assert_eq!(matrix.owner, on, "{matrix:?} lies in memory of another executor");
            let last = last_index(shape, [matrix.row_stride, matrix.column_stride]);
            assert!(last.is_some_and(|last| last < matrix.len), "{matrix:?} does not hold {shape:?}");
        }
    }
}

/// What runs kernels, one after the other in the order of the calls
pub trait Executor {
    /// Whose memory it works on: the same at every call
    fn id(&self) -> ExecutorId;

    /// Runs a kernel, or puts it in line
    ///
    /// # Errors
    /// Where it cannot be compiled or launched.
    ///
    /// # Panics
    /// As [`Launch::check`], so that memory is this executor's where it runs.
    ///
    /// # Safety
    /// The arguments must be those of the kernel's parameters, and what it touches with them must be memory that the
    /// caller may read or write.
    #[expect(unsafe_code, reason = "addresses are only as good as the caller's word")]
    unsafe fn launch(&self, launch: &Launch<'_>) -> Result<(), DeviceError>;

    /// Runs a matrix product, or puts it in line
    ///
    /// # Errors
    /// Where there is no algorithm for it, or it cannot be launched.
    ///
    /// # Panics
    /// As [`MatrixProduct::check`], so that memory is this executor's where it runs, and ends behind the matrices.
    ///
    /// # Safety
    /// The values of the matrices must be memory that the caller may read or write, and `out` must not overlap the others, but
    /// for an `onto` that is the same matrix.
    #[expect(unsafe_code, reason = "addresses are only as good as the caller's word")]
    unsafe fn matmul(&self, product: &MatrixProduct) -> Result<(), DeviceError>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    fn matrix(owner: ExecutorId, len: usize, row_stride: usize) -> Matrix {
        Matrix { owner, address: 256, len, kind: ElementKind::F32, row_stride, column_stride: 1 }
    }

    #[test]
    fn a_matrix_ends_within_its_values_and_belongs_to_the_executor() {
        let (on, other) = (ExecutorId::unique(), ExecutorId::unique());
        let product = |a: Matrix, m: usize| {
            let (b, out) = (matrix(on, 12, 4), matrix(on, 12, 4));
            MatrixProduct { a, b, out, m, n: 4, k: 3, scale: 1.0, onto: None }
        };
        product(matrix(on, 11, 4), 3).check(on); // rows 4 apart, of which 3 values count
        for wrong in [
            product(matrix(on, 10, 4), 3),
            product(matrix(other, 11, 4), 3),
            product(matrix(on, 11, usize::MAX / 2 + 1), 3),
            product(matrix(on, 11, 4), 4),
            product(matrix(on, 11, 4), 0),
        ] {
            assert!(catch_unwind(|| wrong.check(on)).is_err(), "{wrong:?}");
        }
    }
}
