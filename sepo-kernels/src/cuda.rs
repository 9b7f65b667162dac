//! The same operations on an NVIDIA GPU: launches of handwritten kernels, with the shapes of their CPU forms
//!
//! Kernels stand beside the CPU form of their operation, in CUDA C++ without any header. They are compiled by NVRTC when
//! they are first used. Nothing here needs CUDA to build, nor to test: see `tests/cuda_on_cpu`.

pub use crate::device::{
    Arg, Bf16, DeviceError, Element, ElementKind, Executor, Float, Kernel, Launch, Matrix, MatrixProduct,
    Slice, SliceMut, Source, compile, compiled, partials_len, probe_cublaslt, probe_driver, probe_nvrtc,
    sources,
};
pub use crate::rms_norm::cuda::{RmsNormForward, RmsNormGrads, RmsNormInput, rms_norm, rms_norm_backward};
