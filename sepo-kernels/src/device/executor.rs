//! Who runs launches and matrix products

use super::{DeviceError, ElementKind, Launch};

/// A matrix in device memory; one of its strides is 1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Matrix {
    /// where its first value lies
    pub address: u64,
    /// type of its values: `F32` or `Bf16`
    pub kind: ElementKind,
    /// from a row to the next
    pub row_stride: usize,
    /// from a column to the next
    pub column_stride: usize,
}

/// `out = scale a b`, added to what stands there where `add`
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
    /// whether the product is added
    pub add: bool,
}

/// What runs kernels, one after the other in the order of the calls
pub trait Executor {
    /// Runs a kernel, or puts it in line
    ///
    /// # Errors
    /// Where it cannot be compiled or launched.
    ///
    /// # Safety
    /// The arguments must be those of the kernel's parameters, and what it touches with them must be memory of this
    /// executor that the caller may read or write.
    #[expect(unsafe_code, reason = "addresses are only as good as the caller's word")]
    unsafe fn launch(&self, launch: &Launch<'_>) -> Result<(), DeviceError>;

    /// Runs a matrix product, or puts it in line
    ///
    /// # Errors
    /// Where there is no algorithm for it, or it cannot be launched.
    ///
    /// # Safety
    /// The matrices must lie in memory of this executor that the caller may read or write, and `out` must not overlap
    /// the others.
    #[expect(unsafe_code, reason = "addresses are only as good as the caller's word")]
    unsafe fn matmul(&self, product: &MatrixProduct) -> Result<(), DeviceError>;
}
