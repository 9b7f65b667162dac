//! Every kernel that a GPU runs, run on a CPU: the same text, compiled by a C++ compiler, launched by the same functions
//!
//! What is compared: the CPU form's values, or an f64 form's where the CPU's own rounding would count twice; that nothing
//! is read or written out of bounds or before it was written (AddressSanitizer, and memory full of not-a-numbers); that the
//! order of threads between barriers decides nothing; and, with `SEPO_TSAN=1`, that ThreadSanitizer sees no race. Without a
//! C++ compiler the tests say so and pass. Where there is a GPU, the same comparisons are made on it.

#![cfg(feature = "cuda")]
#![expect(clippy::cast_possible_truncation, reason = "test inputs are small")]

#[path = "../naive/mod.rs"]
mod naive;

mod activations;
mod attention;
mod build;
mod faults;
mod head;
mod layer_norm;
mod linear;
mod machine;
mod optimizer;
mod owners;
mod process;
mod rms_norm;
mod rounding;
mod segment_topk;
mod tables;
