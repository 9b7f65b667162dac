//! Matrix products by cuBLASLt
//!
//! cuBLASLt thinks in columns: a row-major matrix is to it the transposed one. So `out = a b` is asked for as
//! `outᵀ = bᵀ aᵀ`, with our `b` as its first operand and our `a` as its second.

#![expect(
    unsafe_code,
    reason = "cuBLASLt's own interface: cudarc's safe one has one type for operands and result"
)]

use super::gpu::failed;
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

/// All that the choice of an algorithm depends on
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// type, whether transposed, distance of rows or columns, alignment in bytes
    operands: [(ElementKind, bool, usize, u32); 3],
    sizes: [usize; 3],
}

impl Key {
    fn of(product: &MatrixProduct) -> Self {
        let operand = |matrix: &Matrix| {
            let transposed = matrix.column_stride != 1;
            let stride = if transposed { matrix.column_stride } else { matrix.row_stride };
            assert!(!transposed || matrix.row_stride == 1, "one of the strides of {matrix:?} must be 1");
            (matrix.kind, transposed, stride, 1 << matrix.address.trailing_zeros().min(8))
        };
        let operands = [&product.a, &product.b, &product.out].map(operand);
        assert!(!operands[2].1, "a result is written by rows");
        Self { operands, sizes: [product.m, product.n, product.k] }
    }
}

/// Descriptors of a product and the algorithm for it
#[derive(Debug)]
struct Settled {
    product: sys::cublasLtMatmulDesc_t,
    /// of `a`, `b` and `out`
    layouts: [sys::cublasLtMatrixLayout_t; 3],
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
    /// The matrices must lie in memory of the stream's device that the caller may read or write.
    pub(super) unsafe fn run(&self, product: &MatrixProduct, stream: &CudaStream) -> Result<(), DeviceError> {
        let &MatrixProduct { a, b, out, m, n, k, scale, add } = product;
        assert!(m > 0 && n > 0 && k > 0, "a product of nothing");
        stream.context().bind_to_thread().map_err(failed("binding the device"))?;
        let failed = |error: CublasError| DeviceError::Matmul { m, n, k, reason: error.to_string() };
        let key = Key::of(product);
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let settled = match settled.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.settle(&key).map_err(failed)?),
        };
        let beta = if add { 1.0_f32 } else { 0.0 };
        let pointer = |address: u64| address as *mut c_void;
        let (workspace, _) = self.workspace.device_ptr(stream);
        // SAFETY: descriptors were made for these shapes, strides and alignments; memory is the caller's word.
        unsafe {
            result::matmul(
                self.handle,
                settled.product,
                (&raw const scale).cast(),
                (&raw const beta).cast(),
                pointer(b.address),
                settled.layouts[1],
                pointer(a.address),
                settled.layouts[0],
                pointer(out.address),
                settled.layouts[2],
                pointer(out.address),
                settled.layouts[2],
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
        let [a, b, out] = key.operands;
        let [m, n, k] = key.sizes;
        let product = result::create_matmul_desc(
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cudaDataType_t::CUDA_R_32F,
        )?;
        set_transposed(product, sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSA, b.1)?;
        set_transposed(product, sys::cublasLtMatmulDescAttributes_t::CUBLASLT_MATMUL_DESC_TRANSB, a.1)?;
        // Each as cuBLASLt sees it: columns are our rows, but where the matrix stands transposed already.
        let layouts = [layout(a, [m, k])?, layout(b, [k, n])?, layout(out, [m, n])?];
        let preference = result::create_matmul_pref()?;
        use sys::cublasLtMatmulPreferenceAttributes_t as Preference;
        set_preference(preference, Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &WORKSPACE_BYTES)?;
        set_preference(preference, Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &b.3)?;
        set_preference(preference, Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &a.3)?;
        set_preference(preference, Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &out.3)?;
        set_preference(preference, Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &out.3)?;
        let [la, lb, lout] = layouts;
        // SAFETY: all of them were made above; the preference is destroyed after its only use.
        let heuristic = unsafe {
            let heuristic =
                result::get_matmul_algo_heuristic(self.handle, product, lb, la, lout, lout, preference);
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

fn layout(
    (kind, transposed, stride, _): (ElementKind, bool, usize, u32),
    [rows, columns]: [usize; 2],
) -> Result<sys::cublasLtMatrixLayout_t, CublasError> {
    let kind = match kind {
        ElementKind::Bf16 => sys::cudaDataType_t::CUDA_R_16BF,
        ElementKind::F32 => sys::cudaDataType_t::CUDA_R_32F,
        ElementKind::F64 | ElementKind::U32 => {
            return Err(CublasError(sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED));
        }
    };
    let (contiguous, other) = if transposed { (rows, columns) } else { (columns, rows) };
    // Of a single row nobody asks how far the next is, but it must not be nearer than its end.
    let stride = i64::try_from(stride.max(contiguous)).unwrap_or(i64::MAX);
    result::create_matrix_layout(kind, contiguous as u64, other as u64, stride)
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
