//! How kernels reach a device: memory and its views, launches and products as forms to fill in, the sources of the kernels
//! and who compiles them
//!
//! An operation's `cuda.rs` checks shapes and fills in a [`Launch`]; an [`Executor`] runs it. There are two: a [`Device`],
//! and, in the tests, a CPU that runs the same text of the same kernels.

mod compile;
mod cublaslt;
mod element;
mod error;
mod executor;
mod gpu;
mod gpu_heap;
mod heap;
mod launch;
mod memory;
mod partials;
mod placed;
mod pool;
mod probe;
mod slice;
mod source;

pub use compile::{compile, compiled};
pub use element::{Bf16, Element, ElementKind, Float};
pub use error::DeviceError;
pub use executor::{Executor, ExecutorId, Matrix, MatrixProduct};
pub use gpu::Device;
pub use heap::{Heap, HeapMemory, HeapPlan};
pub use launch::{Arg, Kernel, Launch, Pointer};
pub use memory::DeviceMemory;
pub use partials::partials_len;
pub use placed::{Placed, Plan, PlanMemory};
pub use probe::{probe_cublaslt, probe_driver, probe_nvrtc};
pub use slice::{Slice, SliceMut};
pub use source::{Source, sources};

pub(crate) use launch::{blocks_of, threads_for};
pub(crate) use partials::{n_parts, sum_partials};
pub(crate) use placed::Indices;
