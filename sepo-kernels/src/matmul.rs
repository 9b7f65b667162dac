//! The one door to the `gemm` crate: strided matrix products over checked slices

use crate::Write;
use crate::shape::last_index;
use gemm::Parallelism;

/// A matrix in a slice: element (i, j) stands at `i * row_stride + j * col_stride`
#[derive(Clone, Copy)]
pub(crate) struct Mat<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
}

impl<'a> Mat<'a> {
    /// Rows of `row_stride` values, of which the product reads the first
    pub(crate) fn rows(data: &'a [f32], row_stride: usize) -> Self {
        Self { data, row_stride, col_stride: 1 }
    }

    /// The same matrix with rows and columns exchanged
    pub(crate) fn transposed(self) -> Self {
        Self { data: self.data, row_stride: self.col_stride, col_stride: self.row_stride }
    }

    fn assert_holds(&self, n_rows: usize, n_cols: usize) {
        let &Self { data, row_stride, col_stride } = self;
        assert!(
            last_index([n_rows, n_cols], [row_stride, col_stride]).is_some_and(|last| last < data.len()),
            "a {n_rows} x {n_cols} matrix of strides {row_stride} and {col_stride} does not end within {}",
            data.len()
        );
    }
}

/// Where the product runs
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// on the calling thread, for callers that are one of many parallel tasks
    One,
    /// on the current rayon pool
    Pool,
}

/// Sizes and factor of `out = scale * a b`: a is `[m, k]`, b is `[k, n]`
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) scale: f32,
}

/// Whether the product is of nothing or into nothing; the output is complete then
pub(crate) fn has_no_terms(out: &mut [f32], out_stride: usize, product: Product, write: Write) -> bool {
    let Product { m, n, k, .. } = product;
    if m == 0 || n == 0 {
        return true;
    }
    if k == 0 && write == Write::Overwrite {
        out.chunks_mut(out_stride).take(m).for_each(|row| row[..n].fill(0.0));
    }
    k == 0
}

/// Asserts that the slices hold the matrices of a product that has terms, and that output rows do not overlap
pub(crate) fn assert_fits(a: Mat<'_>, b: Mat<'_>, out: &[f32], out_stride: usize, product: Product) {
    let Product { m, n, k, .. } = product;
    a.assert_holds(m, k);
    b.assert_holds(k, n);
    assert!(out_stride >= n, "output rows of {n} values overlap at stride {out_stride}");
    assert!(
        last_index([m, n], [out_stride, 1]).is_some_and(|last| last < out.len()),
        "{m} output rows of {n}, {out_stride} apart, do not fit {}",
        out.len()
    );
}

/// `out (+)= scale * a b`, where the rows of `out` are `out_stride` values apart
///
/// The summation order depends on shapes and strides alone, never on the number of threads.
pub(crate) fn matmul(
    a: Mat<'_>,
    b: Mat<'_>,
    out: &mut [f32],
    out_stride: usize,
    product: Product,
    write: Write,
    threads: Threads,
) {
    let Product { m, n, k, scale } = product;
    if has_no_terms(out, out_stride, product, write) {
        return;
    }
    assert_fits(a, b, out, out_stride, product);
    let stride = |stride: usize| isize::try_from(stride).expect("a stride within a slice fits isize");
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::Pool => Parallelism::Rayon(0),
    };
    #[expect(unsafe_code, reason = "gemm takes raw pointers; this is the one call")]
    // SAFETY: the assertions above keep every element that gemm touches within its slice; output elements are distinct
    // because `out_stride >= n`; `out` is exclusively borrowed, so it overlaps neither input.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride(out_stride),
            write == Write::Add,
            a.data.as_ptr(),
            stride(a.col_stride),
            stride(a.row_stride),
            b.data.as_ptr(),
            stride(b.col_stride),
            stride(b.row_stride),
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}
