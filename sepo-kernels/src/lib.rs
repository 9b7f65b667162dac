//! Numeric operations of decoder-only transformers, each with its backward pass
//!
//! For people who write the forward and backward pass of a language model by hand and want each step to be one call on
//! slices: a fused head that returns log-probabilities without a `[tokens, vocab]` matrix, attention that computes a
//! shared prompt once, norms, rotary embedding, activations, AdamW, and a segment-wise top-k. All of it is `f32`,
//! row-major, parallel over the current rayon pool, and gives the same bits for every number of threads.
//!
//! The module `cuda`, a feature that is on by default and needs no CUDA to build, has the same operations for NVIDIA GPUs.
//!
//! Not for building graphs: there is no tensor type, no tape and no broadcasting. Who calls keeps the activations.
//!
//! Shapes are checked and a mismatch panics, since it is an error in the calling program; what comes from outside
//! (layouts, row lists, scores) is checked by a constructor that returns a [`KernelError`].
//!
//! # Examples
//!
//! A prompt of two tokens and two responses of one token each; the last prompt token predicts both:
//!
//! ```
//! use sepo_kernels::{HeadScratch, HeadShape, Rows, Segments, gather_logps};
//!
//! let segments = Segments::new(vec![0, 2, 3, 4], vec![None, Some(0), Some(0)])?;
//! assert_eq!(segments.positions(), [0, 1, 2, 2]);
//!
//! let hidden = [0.5, -0.5]; // the state of token 1, alone needed
//! let lm_head = [1.0, 0.0, 0.0, 1.0]; // two tokens in the vocabulary
//! let rows = Rows::new(vec![0, 0], vec![0, 1], 1, 2)?;
//! let shape = HeadShape { n_hidden: 1, d_model: 2, vocab: 2 };
//! let logps = gather_logps(&hidden, &lm_head, &rows, shape, &mut HeadScratch::default()).logps;
//! assert!((logps[0] - logps[1] - 1.0).abs() < 1e-6);
//! # Ok::<(), sepo_kernels::KernelError>(())
//! ```

mod adamw;
mod attention;
mod bias;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(feature = "cuda")]
mod device;
mod distribution_distances;
mod embedding;
mod error;
mod gather_divergences;
mod gather_logps;
mod gelu;
mod layer_norm;
mod linear;
mod log_collisions;
mod log_sum_exp;
mod matmul;
mod matmul_bf16;
mod precision;
mod rms_norm;
mod rotary;
mod rows;
mod scale_rows;
mod segment_topk;
mod segments;
mod shape;
mod simd;
mod sum_of_squares;
mod swiglu;
mod tasks;
mod write;

pub use adamw::{AdamWStep, adamw};
pub use attention::{
    AttentionForward, AttentionGrads, AttentionLayout, AttentionShape, Queries, attention, attention_backward,
};
pub use bias::{add_bias, bias_backward};
pub use distribution_distances::distribution_distances;
pub use embedding::{embedding, embedding_backward};
pub use error::KernelError;
pub use gather_divergences::{
    DivergenceScratch, GatheredDivergences, HeadStates, RowGradients, gather_divergences,
    gather_divergences_backward,
};
pub use gather_logps::{GatheredLogps, HeadScratch, HeadShape, gather_logps, gather_logps_backward};
pub use gelu::{Gelu, gelu, gelu_backward};
pub use layer_norm::{LayerNormForward, LayerNormGrads, layer_norm, layer_norm_backward};
pub use linear::{LinearShape, linear, linear_backward_input, linear_backward_weight};
pub use log_collisions::log_collisions;
pub use precision::Precision;
pub use rms_norm::{rms_norm, rms_norm_backward};
pub use rotary::{RotaryConfig, RotaryScaling, RotaryTable, rotary, rotary_backward};
pub use rows::Rows;
pub use scale_rows::scale_rows;
pub use segment_topk::{Extreme, segment_topk};
pub use segments::Segments;
pub use simd::instruction_set;
pub use sum_of_squares::sum_of_squares;
pub use swiglu::{swiglu, swiglu_backward};
pub use write::Write;
