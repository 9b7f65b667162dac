//! Matrix products by cuBLASLt
//!
//! cuBLASLt thinks in columns: a row-major matrix is to it the transposed one. So `out = a b` is asked for as
//! `outᵀ = bᵀ aᵀ`, with our `b` as its first operand and our `a` as its second.

#![expect(
    unsafe_code,
    reason = "cuBLASLt's own interface: cudarc's safe one has one type for operands and result"
)]

use super::error::failed;
use super::{DeviceError, ElementKind, Matrix, MatrixProduct};
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys;
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of scratch: what NVIDIA recommends for Hopper
const WORKSPACE_BYTES: usize = 32 << 20;

/// The library's handle, its workspace, and what it has settled on for products so far
#[derive(Debug)]
pub(super) struct Products {
    handle: sys::cublasLtHandle_t,
    workspace: CudaSlice<u8>,
    settled: Mutex<HashMap<Key, Settled>>,
}

// SAFETY: a handle of cuBLASLt may be used by several threads; descriptors are behind a lock.
unsafe impl Send for Products {}
// SAFETY: as above.
unsafe impl Sync for Products {}

/// A matrix as cuBLASLt is told of it: `columns` columns of `rows` values, `stride` apart
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Described {
    kind: ElementKind,
    /// whether the transposed of what stands there is meant
    transposed: bool,
    rows: usize,
    columns: usize,
    stride: usize,
    /// bytes that divide its address, at most 256
    alignment: u32,
}

impl Described {
    /// The transposed of `matrix`, which is `[rows, columns]`: its rows are columns to cuBLASLt
    fn of(matrix: &Matrix, [rows, columns]: [usize; 2]) -> Self {
        let &Matrix { address, kind, row_stride, column_stride, .. } = matrix;
        // What stands by columns already is the matrix itself to cuBLASLt, which has to transpose it.
        let transposed = column_stride != 1;
        assert!(!transposed || row_stride == 1, "one of the strides of {matrix:?} must be 1");
        let (rows, columns, stride) =
            if transposed { (rows, columns, column_stride) } else { (columns, rows, row_stride) };
        assert!(columns == 1 || stride >= rows, "lines of {matrix:?} overlap");
        // Of a single one nobody asks how far the next is, but it must not be nearer than its end.
        let stride = stride.max(rows);
        Self { kind, transposed, rows, columns, stride, alignment: 1 << address.trailing_zeros().min(8) }
    }
}

/// All that the choice of an algorithm depends on: `outᵀ = bᵀ aᵀ`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    left: Described,
    right: Described,
    /// what is added to; the result where nothing is
    onto: Described,
    result: Described,
}

impl Key {
    fn of(product: &MatrixProduct) -> Self {
        let &MatrixProduct { a, b, out, m, n, k, onto, .. } = product;
        let (onto, result) = (Described::of(&onto.unwrap_or(out), [m, n]), Described::of(&out, [m, n]));
        assert!(!result.transposed && !onto.transposed, "a result is written by rows");
        Self { left: Described::of(&b, [k, n]), right: Described::of(&a, [m, k]), onto, result }
    }
}

/// Descriptors of a product and the algorithm for it
#[derive(Debug)]
struct Settled {
    product: sys::cublasLtMatmulDesc_t,
    /// of the left and the right side, what is added to, and the result
    layouts: [sys::cublasLtMatrixLayout_t; 4],
    algorithm: sys::cublasLtMatmulAlgo_t,
}

impl Products {
    pub(super) fn new(stream: &Arc<CudaStream>) -> Result<Self, DeviceError> {
        let handle = result::create_handle()
            .map_err(|error| DeviceError::Driver { call: "starting cuBLASLt", reason: error.to_string() })?;
        // SAFETY: scratch, which nobody reads before cuBLASLt has written it.
        let workspace = unsafe { stream.alloc(WORKSPACE_BYTES) }.map_err(failed("allocating memory"))?;
        Ok(Self { handle, workspace, settled: Mutex::default() })
    }

    /// # Safety
    /// The product must be checked, for the executor of this stream, and the values of its matrices must be memory that the
    /// caller may read or write.
    pub(super) unsafe fn run(&self, product: &MatrixProduct, stream: &CudaStream) -> Result<(), DeviceError> {
        let &MatrixProduct { a, b, out, m, n, k, scale, onto } = product;
        stream.context().bind_to_thread().map_err(failed("binding the device"))?;
        let failed = |error: CublasError| DeviceError::Matmul { m, n, k, reason: error.to_string() };
        let key = Key::of(product);
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = match settled.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.settle(&key).map_err(failed)?),
        };
        let beta = if onto.is_some() { 1.0_f32 } else { 0.0 };
        let onto = onto.unwrap_or(out);
        let pointer = |address: u64| address as *mut c_void;
        let (workspace, _) = self.workspace.device_ptr(stream);
        // SAFETY: descriptors were made for these shapes, strides and alignments, with which the matrices end within their
        // values; that these may be touched is the caller's word. The workspace is the stream's own.
        unsafe {
            result::matmul(
                self.handle,
                settled.product,
                (&raw const scale).cast(),
                (&raw const beta).cast(),
                pointer(b.address),
                settled.layouts[0],
                pointer(a.address),
                settled.layouts[1],
                pointer(onto.address),
                settled.layouts[2],
                pointer(out.address),
                settled.layouts[3],
                &raw const settled.algorithm,
                pointer(workspace),
                WORKSPACE_BYTES,
                stream.cu_stream().cast(),
            )
        }
        .map_err(failed)
    }

    /// Makes the descriptors, and asks for the algorithm
    fn settle(&self, key: &Key) -> Result<Settled, CublasError> {
        use sys::cublasLtMatmulDescAttributes_t as Attribute;
        use sys::cublasLtMatmulPreferenceAttributes_t as Preference;
        let &Key { left, right, onto, result } = key;
        let product = result::create_matmul_desc(
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cudaDataType_t::CUDA_R_32F,
        )?;
        set_transposed(product, Attribute::CUBLASLT_MATMUL_DESC_TRANSA, left.transposed)?;
        set_transposed(product, Attribute::CUBLASLT_MATMUL_DESC_TRANSB, right.transposed)?;
        let layouts = [layout(left)?, layout(right)?, layout(onto)?, layout(result)?];
        let preference = result::create_matmul_pref()?;
        set_preference(preference, Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &WORKSPACE_BYTES)?;
        for (which, of) in [
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, left),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, right),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, onto),
            (Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, result),
        ] {
            set_preference(preference, which, &of.alignment)?;
        }
        let [left, right, onto, out] = layouts;
        // SAFETY: all of them were made above; the preference is destroyed after its only use.
        let heuristic = unsafe {
            let heuristic =
                result::get_matmul_algo_heuristic(self.handle, product, left, right, onto, out, preference);
            result::destroy_matmul_pref(preference)?;
            heuristic?
        };
        Ok(Settled { product, layouts, algorithm: heuristic.algo })
    }
}

impl Drop for Products {
    fn drop(&mut self) {
        let settled = self.settled.get_mut().unwrap_or_else(PoisonError::into_inner);
        for settled in settled.values() {
            // SAFETY: made once, used no more; an error at the end helps nobody.
            unsafe {
                for layout in settled.layouts {
                    result::destroy_matrix_layout(layout).ok();
                }
                result::destroy_matmul_desc(settled.product).ok();
            }
        }
        // SAFETY: as above.
        unsafe { result::destroy_handle(self.handle) }.ok();
    }
}

fn layout(matrix: Described) -> Result<sys::cublasLtMatrixLayout_t, CublasError> {
    let kind = match matrix.kind {
        ElementKind::Bf16 => sys::cudaDataType_t::CUDA_R_16BF,
        ElementKind::F32 => sys::cudaDataType_t::CUDA_R_32F,
        ElementKind::F64 | ElementKind::U32 => {
            return Err(CublasError(sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED));
        }
    };
    let stride = i64::try_from(matrix.stride).unwrap_or(i64::MAX);
    result::create_matrix_layout(kind, matrix.rows as u64, matrix.columns as u64, stride)
}

fn set_transposed(
    product: sys::cublasLtMatmulDesc_t,
    which: sys::cublasLtMatmulDescAttributes_t,
    transposed: bool,
) -> Result<(), CublasError> {
    let operation = i32::from(transposed); // CUBLAS_OP_N and CUBLAS_OP_T
    // SAFETY: the descriptor lives; the attribute is 4 bytes.
    unsafe {
        result::set_matmul_desc_attribute(product, which, (&raw const operation).cast(), size_of::<i32>())
    }
}

fn set_preference<T>(
    preference: sys::cublasLtMatmulPreference_t,
    which: sys::cublasLtMatmulPreferenceAttributes_t,
    value: &T,
) -> Result<(), CublasError> {
    // SAFETY: the preference lives; the attribute has the size of the value.
    unsafe {
        result::set_matmul_pref_attribute(preference, which, std::ptr::from_ref(value).cast(), size_of::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::ExecutorId;

    /// What cuBLASLt reads at (row, column) of what it multiplies
    fn read(values: &[f32], matrix: Described, row: usize, column: usize) -> f32 {
        let (row, column) = if matrix.transposed { (column, row) } else { (row, column) };
        assert!(row < matrix.rows && column < matrix.columns && matrix.stride >= matrix.rows);
        values[column * matrix.stride + row]
    }

    fn matrix(rows: usize, columns: usize, by_columns: bool) -> Matrix {
        let (row_stride, column_stride) = if by_columns { (1, rows + 1) } else { (columns + 2, 1) };
        let owner = ExecutorId::unique();
        Matrix { owner, address: 1 << 20, len: 100, kind: ElementKind::F32, row_stride, column_stride }
    }

    fn numbers(n: usize) -> Vec<f32> {
        (0..50_u16).cycle().map(|i| f32::from(i * 7 % 50) - 20.0).take(n).collect()
    }

    #[test]
    fn lines_nearer_than_their_length_are_refused() {
        let overlapping = Matrix { row_stride: 3, ..matrix(3, 4, false) };
        assert!(std::panic::catch_unwind(|| Described::of(&overlapping, [3, 4])).is_err());
        assert_eq!(Described::of(&overlapping, [1, 4]).stride, 4);
    }

    #[test]
    fn what_cublaslt_is_told_is_the_product_that_is_meant() {
        for [m, n, k] in [[3, 4, 5], [1, 4, 1], [4, 1, 3], [1, 1, 1], [2, 6, 1]] {
            for (a_by_columns, b_by_columns) in [(false, false), (false, true), (true, false), (true, true)] {
                let (a, b) = (matrix(m, k, a_by_columns), matrix(k, n, b_by_columns));
                let out = matrix(m, n, false);
                let key = Key::of(&MatrixProduct { a, b, out, m, n, k, scale: 1.0, onto: None });
                let (a_values, b_values) = (numbers(100), numbers(101));
                assert_eq!((key.result.rows, key.result.columns), (n, m));
                for row in 0..m {
                    for column in 0..n {
                        let at = |matrix: Matrix, row, column| {
                            row * matrix.row_stride + column * matrix.column_stride
                        };
                        let meant: f32 =
                            (0..k).map(|i| a_values[at(a, row, i)] * b_values[at(b, i, column)]).sum();
                        // Element (column, row) of the product of columns is what is meant at (row, column) of ours.
                        let told: f32 = (0..k)
                            .map(|i| {
                                read(&b_values, key.left, column, i) * read(&a_values, key.right, i, row)
                            })
                            .sum();
                        assert_eq!(told, meant);
                        assert_eq!(row * key.result.stride + column, at(out, row, column));
                    }
                }
            }
        }
    }
}
