//! On what a network computes: its buffers, and the operations on them.
//!
//! The way through a model is written once, in [`network`](crate::network). What a number lies in, and who multiplies, is
//! here: one trait, and an implementation for each kind of machine.

mod cpu;
mod cuda;
mod norm_stats;
mod states;
mod weights;

use std::borrow::{Borrow, BorrowMut};
use std::fmt::Debug;
use std::ops::Range;

use sepo_kernels::{AttentionShape, Gelu, RotaryConfig, RowGradients, Write};

pub use cpu::{Cpu, MAX_KEPT_LOGITS};
pub use cuda::{Cuda, DeviceBuffer};
pub(crate) use norm_stats::NormStats;
pub use states::{FrozenHead, States};
pub(crate) use weights::Weights;

use crate::architecture::{LinearAt, NormAt};
use crate::batch::{BatchContext, Extent, RowValues};
use crate::{Dtype, ModelError, Parameters};

type Done = Result<(), ModelError>;

/// Queries, keys and values, rotated.
#[derive(Debug)]
pub struct Projected<'a, B: Backend> {
    /// `[n_outputs, n_heads, head_dim]`.
    pub q: &'a B::Values,
    /// `[n_tokens, n_kv_heads, head_dim]`.
    pub k: &'a B::Values,
    /// As `k`.
    pub v: &'a B::Values,
}

/// What attention put out, and the gradient of it.
#[derive(Debug)]
pub struct Attended<'a, B: Backend> {
    /// As the queries.
    pub out: &'a B::Values,
    /// `[n_outputs, n_heads]`.
    pub lse: &'a B::Singles,
    /// As the queries.
    pub dout: &'a B::Values,
}

/// A linear map on its way back.
#[derive(Debug)]
pub struct LinearBack<'a, B: Backend> {
    /// Where it lies.
    pub at: &'a LinearAt,
    /// Values in a row of `x`.
    pub d_in: usize,
    /// `[n, d_in]`.
    pub x: &'a B::Values,
    /// `[n, d_out]`.
    pub dy: &'a B::Values,
}

/// A norm on its way back.
#[derive(Debug)]
pub struct NormBack<'a, B: Backend> {
    /// Where it lies.
    pub at: &'a NormAt,
    /// `[n, d]`.
    pub x: &'a B::Values,
    /// Of the way there.
    pub stats: &'a NormStats<B>,
    /// `[n, d]`.
    pub dy: &'a B::Values,
}

/// The output head at some hidden rows.
#[derive(Debug)]
pub struct HeadAt<'a, B: Backend> {
    /// Where the map lies, `[vocab, d_model]`.
    pub lm_head: &'a Range<usize>,
    /// `[needed positions, d_model]`, behind the final norm.
    pub hidden: &'a B::Values,
    /// Values in a hidden row.
    pub d_model: usize,
    /// Tokens that there are.
    pub vocab: usize,
}

/// A kind of machine: what numbers lie in, and the operations of a network.
///
/// [`Cpu`] is one; `Cuda` is an NVIDIA GPU. Operations are those of `sepo_kernels`, with buffers for slices and places in the
/// flat buffer for weights; each says there what it computes. A buffer is resized by whoever writes it. The trait is sealed:
/// its operations are called by a [`Network`](crate::Network) alone.
///
/// # Errors
///
/// Operations fail where the machine does: [`Cpu`] never, a GPU with [`ModelError::Device`] for want of memory or a launch that
/// was refused, which may be told by a later operation.
#[expect(clippy::too_many_arguments, reason = "as the kernels: inputs, shapes, results")]
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait Backend: sealed::Sealed + Clone + Debug {
    /// What kind of machine, as records name it.
    const NAME: &'static str;
    /// Of all numbers; `None` where whoever makes a network chooses.
    const DTYPE: Option<Dtype>;

    /// Activations and their gradients.
    type Values: Default + Debug + Borrow<Self::Flat>;
    /// f32 numbers, whatever activations are.
    type Singles: Default + Debug + BorrowMut<Self::Gradient>;
    /// All weights, as activations are multiplied with them.
    type Flat: ?Sized + Debug;
    /// The gradient of all weights.
    type Gradient: ?Sized + Debug;
    /// Weights as a caller has them.
    type Parameters;
    /// Weights that were loaded from the CPU's.
    type Loaded<'p>: Debug + Borrow<Self::Parameters>;
    /// Cosines and sines, kept from batch to batch.
    type RotaryTables: Debug;
    /// Where tokens stand, with the cosines and sines of their turn.
    type Rotation: Debug;
    /// What it has made of a batch.
    type Batch: Debug;
    /// What the head leaves for its way back, and works in.
    type Head: Default + Debug;

    /// Weights of a model, where the network can read them.
    fn load<'p>(&self, parameters: &'p Parameters) -> Result<Self::Loaded<'p>, ModelError>;
    /// The flat buffer of weights.
    fn flat(parameters: &Self::Parameters) -> &Self::Flat;
    /// Weights in a flat buffer.
    fn n_weights(flat: &Self::Flat) -> usize;
    /// Values in a gradient.
    fn n_gradient(gradient: &Self::Gradient) -> usize;
    /// Values in a buffer.
    fn len(values: &Self::Values) -> usize;

    /// Tables of no positions yet.
    fn rotary_tables(config: &RotaryConfig) -> Self::RotaryTables;
    /// What it needs of a batch, for attention and turns of these extents: that of the last block stands last. `tokens` are
    /// those to embed.
    fn place(
        &self,
        tables: &mut Self::RotaryTables,
        tokens: &[u32],
        context: &BatchContext,
        windows: &[Option<usize>],
        vocab: usize,
        extents: &[Extent],
    ) -> Result<Self::Batch, ModelError>;
    /// Where the tokens stand for which a block makes an output.
    fn rotation(batch: &Self::Batch, extent: Extent) -> &Self::Rotation;

    /// `len` values that are nobody's.
    fn resize(&self, values: &mut Self::Values, len: usize) -> Done;
    /// So many zeros.
    fn zeros(&self, values: &mut Self::Values, len: usize) -> Done;
    /// So many zeros.
    fn zero_singles(&self, singles: &mut Self::Singles, len: usize) -> Done;
    /// Numbers for the CPU.
    fn to_host(&self, values: Self::Values) -> Result<Vec<f32>, ModelError>;
    /// `to` becomes what `from` is.
    fn copy(&self, from: &Self::Values, to: &mut Self::Values) -> Done;
    /// The rows of `x` at the needed positions.
    fn gather_rows(
        &self,
        batch: &Self::Batch,
        context: &BatchContext,
        x: &Self::Values,
        d: usize,
        out: &mut Self::Values,
    ) -> Done;
    /// Adds each row to that of `x` at its needed position.
    fn add_rows(
        &self,
        batch: &Self::Batch,
        context: &BatchContext,
        rows: &Self::Values,
        d: usize,
        x: &mut Self::Values,
    ) -> Done;

    /// The embeddings of a batch's tokens.
    fn embedding(
        &self,
        weights: Weights<'_, Self>,
        at: &Range<usize>,
        batch: &Self::Batch,
        tokens: &[u32],
        d_model: usize,
        x: &mut Self::Values,
    ) -> Done;
    /// Adds the gradient of the embeddings.
    fn embedding_backward(
        &self,
        at: &Range<usize>,
        batch: &Self::Batch,
        tokens: &[u32],
        d_model: usize,
        dx: &Self::Values,
        gradient: &mut Self::Gradient,
    ) -> Done;

    /// `y (+)= x Wᵀ + b`; `y` has its size where it is added to.
    fn linear(
        &self,
        weights: Weights<'_, Self>,
        at: &LinearAt,
        d_in: usize,
        x: &Self::Values,
        y: &mut Self::Values,
        write: Write,
    ) -> Done;
    /// `y = onto + x Wᵀ + b`: a map at the end of a sublayer, joined to the residual stream.
    fn linear_onto(
        &self,
        weights: Weights<'_, Self>,
        at: &LinearAt,
        d_in: usize,
        x: &Self::Values,
        onto: &Self::Values,
        y: &mut Self::Values,
    ) -> Done;
    /// The gradient of the input into `dx`, those of weight and bias added; `dx` has its size where it is added to.
    fn linear_backward(
        &self,
        weights: Weights<'_, Self>,
        back: LinearBack<'_, Self>,
        dx: &mut Self::Values,
        write: Write,
        gradient: &mut Self::Gradient,
    ) -> Done;

    /// `y = norm(x)`: `RMSNorm` where there is no shift, `LayerNorm` where there is one.
    fn norm(
        &self,
        weights: Weights<'_, Self>,
        at: &NormAt,
        eps: f32,
        x: &Self::Values,
        y: &mut Self::Values,
        stats: &mut NormStats<Self>,
    ) -> Done;
    /// The gradient of a norm's input, that of its weights added; `dx` has its size where it is added to.
    fn norm_backward(
        &self,
        weights: Weights<'_, Self>,
        back: NormBack<'_, Self>,
        dx: &mut Self::Values,
        write: Write,
        gradient: &mut Self::Gradient,
    ) -> Done;

    /// `silu(gate) up`, `[n, d]`, of rows `[n, 2 d]` of gate and up side by side.
    fn swiglu(&self, gate_up: &Self::Values, d: usize, out: &mut Self::Values) -> Done;
    /// Its gradient.
    fn swiglu_backward(
        &self,
        gate_up: &Self::Values,
        d: usize,
        dout: &Self::Values,
        dgate_up: &mut Self::Values,
    ) -> Done;
    /// The error linear unit of this kind.
    fn gelu(&self, x: &Self::Values, y: &mut Self::Values, kind: Gelu) -> Done;
    /// Its gradient.
    fn gelu_backward(&self, x: &Self::Values, dy: &Self::Values, dx: &mut Self::Values, kind: Gelu) -> Done;

    /// Turns heads by their positions.
    fn rotary(
        &self,
        x: &mut Self::Values,
        rotation: &Self::Rotation,
        n_heads: usize,
        head_dim: usize,
    ) -> Done;
    /// Turns their gradients back.
    fn rotary_backward(
        &self,
        dx: &mut Self::Values,
        rotation: &Self::Rotation,
        n_heads: usize,
        head_dim: usize,
    ) -> Done;

    /// Attention of the outputs of `extent`.
    fn attention(
        &self,
        batch: &Self::Batch,
        at: (&BatchContext, Extent),
        input: Projected<'_, Self>,
        shape: AttentionShape,
        out: &mut Self::Values,
        lse: &mut Self::Singles,
    ) -> Done;
    /// The gradients of queries, keys and values.
    fn attention_backward(
        &self,
        batch: &Self::Batch,
        at: (&BatchContext, Extent),
        input: Projected<'_, Self>,
        attended: Attended<'_, Self>,
        shape: AttentionShape,
        grads: [&mut Self::Values; 3],
    ) -> Done;

    /// `[heads, 3, …]` into `[3, heads, …]`: the tensor at `at` of the weights, to `to` of the values.
    fn take_apart(
        &self,
        weights: Weights<'_, Self>,
        at: &Range<usize>,
        n_heads: usize,
        split: &mut Self::Values,
        to: &Range<usize>,
    ) -> Done;
    /// Adds `[3, heads, …]`, at `from`, to `[heads, 3, …]`.
    fn put_together(
        &self,
        split: &Self::Singles,
        from: &Range<usize>,
        n_heads: usize,
        gradient: &mut Self::Gradient,
        at: &Range<usize>,
    ) -> Done;

    /// The log-probability of every row, sorted by hidden row.
    fn logps(
        &self,
        weights: Weights<'_, Self>,
        batch: &Self::Batch,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        head: &mut Self::Head,
        backward_follows: bool,
    ) -> Result<Vec<f64>, ModelError>;
    /// The gradient of the hidden rows, that of the map added; `dlogps` are sorted as the log-probabilities were.
    fn logps_backward(
        &self,
        weights: Weights<'_, Self>,
        batch: &Self::Batch,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        head: &mut Self::Head,
        dlogps: &[f64],
        dhidden: &mut Self::Values,
        gradient: &mut Self::Gradient,
    ) -> Done;

    /// As [`logps`](Self::logps), with the divergences from the distribution whose logits are those of `others`, added up.
    fn divergences(
        &self,
        weights: Weights<'_, Self>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        others: &[FrozenHead<'_, Self>],
        head: &mut Self::Head,
    ) -> Result<RowValues, ModelError>;
    /// As [`logps_backward`](Self::logps_backward), for what [`divergences`](Self::divergences) made.
    fn divergences_backward(
        &self,
        weights: Weights<'_, Self>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        others: &[FrozenHead<'_, Self>],
        head: &mut Self::Head,
        d: RowGradients<'_>,
        dhidden: &mut Self::Values,
        gradient: &mut Self::Gradient,
    ) -> Done;
    /// The logits of every hidden row, `[n, vocab]`; they are few.
    fn logits(&self, weights: Weights<'_, Self>, at: HeadAt<'_, Self>) -> Result<Vec<f32>, ModelError>;
    /// `log Σ_v p(v)²` of every hidden row's distribution.
    fn log_collisions(
        &self,
        weights: Weights<'_, Self>,
        at: HeadAt<'_, Self>,
    ) -> Result<Vec<f64>, ModelError>;
    /// `Σ_v |p(v) − q(v)|` of two models' distributions at every position.
    fn distances(&self, models: [FrozenHead<'_, Self>; 2]) -> Result<Vec<f64>, ModelError>;
    /// Multiplies rows of `d` values by one factor each.
    fn scale_rows(&self, values: &mut Self::Values, d: usize, factors: &[f32]) -> Done;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Cpu {}
    impl<H: sepo_kernels::cuda::Heap, T: sepo_kernels::cuda::Float> Sealed for super::Cuda<H, T> {}
}
