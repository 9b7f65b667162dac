//! The same operations on an NVIDIA GPU: launches of handwritten kernels, with the shapes of their CPU forms
//!
//! Kernels stand beside the CPU form of their operation, in CUDA C++ without any header. They are compiled by NVRTC when
//! they are first used. Nothing here needs CUDA to build, nor to test: see `tests/cuda_on_cpu`.

pub use crate::adamw::cuda::{AdamWState, adamw, round_to_bf16};
pub use crate::attention::cuda::{
    AttentionGrads, AttentionInput, AttentionOutput, attention, attention_backward,
};
pub use crate::attention::plan::AttentionPlan;
pub use crate::bias::cuda::{add_bias, bias_backward};
pub use crate::device::{
    Arg, Bf16, Device, DeviceError, DeviceMemory, Element, ElementKind, Executor, ExecutorId, Float, Heap,
    HeapMemory, HeapPlan, Kernel, Launch, Matrix, MatrixProduct, Placed, Plan, PlanMemory, Pointer, Slice,
    SliceMut, Source, compile, compiled, partials_len, probe_cublaslt, probe_driver, probe_nvrtc, sources,
};
pub use crate::distribution_distances::cuda::distribution_distances;
pub use crate::embedding::cuda::{EmbeddingPlan, add_rows, embedding, embedding_backward};
pub use crate::gather_divergences::cuda::{
    DivergenceBuffers, DivergenceGrads, DivergenceOutput, gather_divergences, gather_divergences_backward,
};
pub use crate::gather_logps::cuda::{HeadGrads, gather_logps, gather_logps_backward, logits};
pub use crate::gather_logps::input::{HeadBufferLens, HeadBuffers, HeadInput, HeadTiling};
pub use crate::gather_logps::plan::HeadPlan;
pub use crate::gelu::cuda::{gelu, gelu_backward};
pub use crate::layer_norm::cuda::{
    LayerNormForward, LayerNormGrads, LayerNormInput, LayerNormOutput, layer_norm, layer_norm_backward,
};
pub use crate::linear::cuda::{linear, linear_backward_input, linear_backward_weight, linear_onto};
pub use crate::log_collisions::cuda::{RowSumBuffers, RowSumLens, log_collisions};
pub use crate::rms_norm::cuda::{RmsNormForward, RmsNormGrads, RmsNormInput, rms_norm, rms_norm_backward};
pub use crate::rotary::cuda::{RotaryAngles, rotary, rotary_backward};
pub use crate::rotary::plan::RotaryPlan;
pub use crate::scale_rows::cuda::scale_rows;
pub use crate::segment_topk::cuda::{TopkPlan, segment_topk};
pub use crate::sum_of_squares::cuda::{Clip, clip_factor, sum_of_squares, sum_of_squares_len};
pub use crate::swiglu::cuda::{swiglu, swiglu_backward};
