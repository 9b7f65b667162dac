//! An NVIDIA GPU: buffers are device memory, and operations launches of the kernels of [`sepo_kernels::cuda`].

mod batch;
mod buffer;
mod distribution;
mod head;
mod head_memory;
mod scratch;

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sepo_kernels::cuda::{
    self, AttentionGrads, AttentionInput, AttentionOutput, ElementKind, EmbeddingPlan, Float, HeadGrads,
    HeadInput, Heap, HeapPlan, LayerNormForward, LayerNormGrads, LayerNormInput, LayerNormOutput,
    RmsNormForward, RmsNormGrads, RmsNormInput, Slice, partials_len,
};
use sepo_kernels::{AttentionShape, Gelu, LinearShape, RotaryConfig, RowGradients, Write};

pub use buffer::DeviceBuffer;

use super::{
    Attended, Backend, Done, FrozenHead, HeadAt, LinearBack, NormBack, NormStats, Projected, Weights,
};
use crate::architecture::{LinearAt, NormAt};
use crate::batch::{BatchContext, Extent, RowValues};
use crate::{Dtype, ModelError, Parameters};
use batch::{CudaBatch, CudaRotation, CudaTables};
use head::CudaHead;
use scratch::Scratch;

/// A GPU whose activations and weights are of type `T`; sums, statistics and gradients of weights are f32.
///
/// `H` is a [`Device`](sepo_kernels::cuda::Device), or whatever else runs the same launches.
pub struct Cuda<H: Heap, T: Float> {
    heap: Arc<H>,
    scratch: Arc<Mutex<Scratch<H>>>,
    numbers: PhantomData<T>,
}

impl<H: Heap, T: Float> Clone for Cuda<H, T> {
    fn clone(&self) -> Self {
        Self { heap: Arc::clone(&self.heap), scratch: Arc::clone(&self.scratch), numbers: PhantomData }
    }
}

impl<H: Heap, T: Float> std::fmt::Debug for Cuda<H, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cuda").field("heap", &self.heap).finish_non_exhaustive()
    }
}

impl<H: Heap, T: Float> Cuda<H, T> {
    /// A backend on this device.
    #[must_use]
    pub fn new(heap: Arc<H>) -> Self {
        Self { heap, scratch: Arc::default(), numbers: PhantomData }
    }

    /// A gradient of zeros for so many weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] where there is not enough memory.
    pub fn gradient(&self, n: usize) -> Result<DeviceBuffer<H, f32>, ModelError> {
        let mut gradient = DeviceBuffer::default();
        gradient.zeros(self.on(), n)?;
        Ok(gradient)
    }

    /// What stands in a gradient when all that was asked for before has run.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] where something of it failed.
    pub fn download(&self, gradient: &DeviceBuffer<H, f32>) -> Result<Vec<f32>, ModelError> {
        Ok(self.heap.download(gradient.slice())?)
    }

    /// What it runs on.
    #[must_use]
    pub fn heap(&self) -> &H {
        &self.heap
    }

    fn on(&self) -> &H {
        &self.heap
    }

    fn scratch(&self) -> MutexGuard<'_, Scratch<H>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the map's bias, if it has one, to each row.
    fn add_bias(&self, weights: Weights<'_, Self>, at: &LinearAt, y: &mut <Self as Backend>::Values) -> Done {
        let Some(bias) = &at.bias else { return Ok(()) };
        Ok(cuda::add_bias(self.on(), y.slice_mut(), weights.slice(bias))?)
    }

    fn apart(&self, n_heads: usize) -> Result<Arc<H::Plan<EmbeddingPlan>>, ModelError> {
        Ok(self.scratch().apart(self.on(), n_heads)?)
    }
}

impl<'a, H: Heap, T: Float> Weights<'a, Cuda<H, T>> {
    /// The tensor in this range.
    fn slice(&self, at: &Range<usize>) -> Slice<'a, T> {
        self.values.slice().range(at.clone())
    }
}

/// Sizes of a map whose weight is at `at`.
fn shape(at: &LinearAt, x_len: usize, d_in: usize) -> LinearShape {
    LinearShape { n_rows: x_len / d_in, d_in, d_out: at.weight.len() / d_in }
}

impl<H: Heap, T: Float> Backend for Cuda<H, T> {
    const NAME: &'static str = "cuda";
    const DTYPE: Option<Dtype> =
        Some(if matches!(T::KIND, ElementKind::Bf16) { Dtype::Bf16 } else { Dtype::F32 });

    type Values = DeviceBuffer<H, T>;
    type Singles = DeviceBuffer<H, f32>;
    type Flat = DeviceBuffer<H, T>;
    type Gradient = DeviceBuffer<H, f32>;
    type Parameters = DeviceBuffer<H, T>;
    type Loaded<'p> = DeviceBuffer<H, T>;
    type RotaryTables = CudaTables<H>;
    type Rotation = CudaRotation<H>;
    type Batch = CudaBatch<H>;
    type Head = CudaHead<H, T>;

    /// On the device, each rounded to `T`.
    fn load<'p>(&self, parameters: &'p Parameters) -> Result<Self::Loaded<'p>, ModelError> {
        let values: Vec<T> = parameters.as_slice().iter().map(|value| T::of_f32(*value)).collect();
        Ok(DeviceBuffer::of(self.on(), &values)?)
    }

    fn flat(parameters: &Self::Parameters) -> &Self::Flat {
        parameters
    }

    fn n_weights(flat: &Self::Flat) -> usize {
        flat.len()
    }

    fn n_gradient(gradient: &Self::Gradient) -> usize {
        gradient.len()
    }

    fn len(values: &Self::Values) -> usize {
        values.len()
    }

    fn rotary_tables(config: &RotaryConfig) -> CudaTables<H> {
        CudaTables::new(config)
    }

    fn place(
        &self,
        tables: &mut CudaTables<H>,
        tokens: &[u32],
        context: &BatchContext,
        windows: &[Option<usize>],
        vocab: usize,
        extents: &[Extent],
    ) -> Result<CudaBatch<H>, ModelError> {
        let batch = CudaBatch::new(self.on(), EmbeddingPlan::new(tokens, vocab), context)?;
        Ok(batch.with_extents(self.on(), tables, context, windows, extents)?)
    }

    fn rotation(batch: &CudaBatch<H>, extent: Extent) -> &CudaRotation<H> {
        batch.rotation(extent)
    }

    fn resize(&self, values: &mut Self::Values, len: usize) -> Done {
        Ok(values.resize(self.on(), len)?)
    }

    fn zeros(&self, values: &mut Self::Values, len: usize) -> Done {
        Ok(values.zeros(self.on(), len)?)
    }

    fn zero_singles(&self, singles: &mut Self::Singles, len: usize) -> Done {
        Ok(singles.zeros(self.on(), len)?)
    }

    fn to_host(&self, values: Self::Values) -> Result<Vec<f32>, ModelError> {
        Ok(self.heap.download(values.slice())?.into_iter().map(T::into_f32).collect())
    }

    fn copy(&self, from: &Self::Values, to: &mut Self::Values) -> Done {
        to.resize(self.on(), from.len())?;
        Ok(self.heap.copy(from.slice(), to.slice_mut())?)
    }

    fn gather_rows(
        &self,
        batch: &CudaBatch<H>,
        context: &BatchContext,
        x: &Self::Values,
        d: usize,
        out: &mut Self::Values,
    ) -> Done {
        out.resize(self.on(), context.needed.len() * d)?;
        Ok(cuda::embedding(self.on(), x.slice(), batch.needed(), d, out.slice_mut())?)
    }

    fn add_rows(
        &self,
        batch: &CudaBatch<H>,
        _: &BatchContext,
        rows: &Self::Values,
        d: usize,
        x: &mut Self::Values,
    ) -> Done {
        Ok(cuda::add_rows(self.on(), rows.slice(), batch.needed(), d, x.slice_mut())?)
    }

    fn embedding(
        &self,
        weights: Weights<'_, Self>,
        at: &Range<usize>,
        batch: &CudaBatch<H>,
        tokens: &[u32],
        d_model: usize,
        x: &mut Self::Values,
    ) -> Done {
        x.resize(self.on(), tokens.len() * d_model)?;
        Ok(cuda::embedding(self.on(), weights.slice(at), batch.tokens(), d_model, x.slice_mut())?)
    }

    fn embedding_backward(
        &self,
        at: &Range<usize>,
        batch: &CudaBatch<H>,
        _: &[u32],
        _: usize,
        dx: &Self::Values,
        gradient: &mut Self::Gradient,
    ) -> Done {
        let dtable = gradient.slice_mut().range(at.clone());
        Ok(cuda::embedding_backward(self.on(), batch.tokens(), dx.slice(), dtable)?)
    }

    fn linear(
        &self,
        weights: Weights<'_, Self>,
        at: &LinearAt,
        d_in: usize,
        x: &Self::Values,
        y: &mut Self::Values,
        write: Write,
    ) -> Done {
        let shape = shape(at, x.len(), d_in);
        if write == Write::Overwrite {
            y.resize(self.on(), shape.n_rows * shape.d_out)?;
        }
        let weight = weights.slice(&at.weight);
        cuda::linear(self.on(), x.slice(), weight, y.slice_mut(), shape, write)?;
        self.add_bias(weights, at, y)
    }

    fn linear_onto(
        &self,
        weights: Weights<'_, Self>,
        at: &LinearAt,
        d_in: usize,
        x: &Self::Values,
        onto: &Self::Values,
        y: &mut Self::Values,
    ) -> Done {
        y.resize(self.on(), onto.len())?;
        let (x, weight, shape) = (x.slice(), weights.slice(&at.weight), shape(at, x.len(), d_in));
        cuda::linear_onto(self.on(), x, weight, onto.slice(), y.slice_mut(), shape)?;
        self.add_bias(weights, at, y)
    }

    fn linear_backward(
        &self,
        weights: Weights<'_, Self>,
        back: LinearBack<'_, Self>,
        dx: &mut Self::Values,
        write: Write,
        gradient: &mut Self::Gradient,
    ) -> Done {
        let LinearBack { at, d_in, x, dy } = back;
        let (on, shape) = (self.on(), shape(at, x.len(), d_in));
        if write == Write::Overwrite {
            dx.resize(on, x.len())?;
        }
        let weight = weights.slice(&at.weight);
        cuda::linear_backward_input(on, dy.slice(), weight, dx.slice_mut(), shape, write)?;
        let dweight = gradient.slice_mut().range(at.weight.clone());
        cuda::linear_backward_weight(on, x.slice(), dy.slice(), dweight, shape)?;
        if let Some(bias) = &at.bias {
            let partials = &mut self.scratch().partials;
            partials.resize(on, partials_len(shape.n_rows, bias.len()))?;
            let dbias = gradient.slice_mut().range(bias.clone());
            cuda::bias_backward(on, dy.slice(), dbias, partials.slice_mut())?;
        }
        Ok(())
    }

    fn norm(
        &self,
        weights: Weights<'_, Self>,
        at: &NormAt,
        eps: f32,
        x: &Self::Values,
        y: &mut Self::Values,
        stats: &mut NormStats<Self>,
    ) -> Done {
        let (on, n_rows) = (self.on(), x.len() / at.weight.len());
        y.resize(on, x.len())?;
        stats.inverse.resize(on, n_rows)?;
        let (x, weight) = (x.slice(), weights.slice(&at.weight));
        match &at.bias {
            None => {
                let input = RmsNormInput { x, weight, eps };
                cuda::rms_norm(on, input, y.slice_mut(), stats.inverse.slice_mut())?;
            }
            Some(bias) => {
                stats.mean.resize(on, n_rows)?;
                let input = LayerNormInput { x, weight, bias: weights.slice(bias), eps };
                let (mean, inv_std) = (stats.mean.slice_mut(), stats.inverse.slice_mut());
                cuda::layer_norm(on, input, LayerNormOutput { y: y.slice_mut(), mean, inv_std })?;
            }
        }
        Ok(())
    }

    fn norm_backward(
        &self,
        weights: Weights<'_, Self>,
        back: NormBack<'_, Self>,
        dx: &mut Self::Values,
        write: Write,
        gradient: &mut Self::Gradient,
    ) -> Done {
        let NormBack { at, x, stats, dy } = back;
        let (on, d) = (self.on(), at.weight.len());
        if write == Write::Overwrite {
            dx.resize(on, x.len())?;
        }
        let partials = &mut self.scratch().partials;
        partials.resize(on, 2 * partials_len(x.len() / d, d))?;
        let (x, weight, dy) = (x.slice(), weights.slice(&at.weight), dy.slice());
        let (dx, partials) = (dx.slice_mut(), partials.slice_mut());
        match &at.bias {
            None => {
                let forward = RmsNormForward { x, weight, inv_rms: stats.inverse.slice() };
                let dweight = gradient.slice_mut().range(at.weight.clone());
                cuda::rms_norm_backward(on, forward, dy, RmsNormGrads { dx, dweight, partials }, write)?;
            }
            Some(bias) => {
                let (mean, inv_std) = (stats.mean.slice(), stats.inverse.slice());
                let forward = LayerNormForward { x, weight, mean, inv_std };
                // The shift follows its scale in the flat buffer.
                let both = gradient.slice_mut().range(at.weight.start..bias.end);
                let (dweight, dbias) = both.split_at(d);
                let grads = LayerNormGrads { dx, dweight, dbias, partials };
                cuda::layer_norm_backward(on, forward, dy, grads, write)?;
            }
        }
        Ok(())
    }

    fn swiglu(&self, gate_up: &Self::Values, d: usize, out: &mut Self::Values) -> Done {
        out.resize(self.on(), gate_up.len() / 2)?;
        Ok(cuda::swiglu(self.on(), gate_up.slice(), out.slice_mut(), d)?)
    }

    fn swiglu_backward(
        &self,
        gate_up: &Self::Values,
        d: usize,
        dout: &Self::Values,
        dgate_up: &mut Self::Values,
    ) -> Done {
        dgate_up.resize(self.on(), gate_up.len())?;
        Ok(cuda::swiglu_backward(self.on(), gate_up.slice(), dout.slice(), dgate_up.slice_mut(), d)?)
    }

    fn gelu(&self, x: &Self::Values, y: &mut Self::Values, kind: Gelu) -> Done {
        y.resize(self.on(), x.len())?;
        Ok(cuda::gelu(self.on(), x.slice(), y.slice_mut(), kind)?)
    }

    fn gelu_backward(&self, x: &Self::Values, dy: &Self::Values, dx: &mut Self::Values, kind: Gelu) -> Done {
        dx.resize(self.on(), x.len())?;
        Ok(cuda::gelu_backward(self.on(), x.slice(), dy.slice(), dx.slice_mut(), kind)?)
    }

    fn rotary(&self, x: &mut Self::Values, at: &CudaRotation<H>, n_heads: usize, head_dim: usize) -> Done {
        Ok(cuda::rotary(self.on(), x.slice_mut(), at.angles(), n_heads, head_dim)?)
    }

    fn rotary_backward(
        &self,
        dx: &mut Self::Values,
        at: &CudaRotation<H>,
        n_heads: usize,
        head_dim: usize,
    ) -> Done {
        Ok(cuda::rotary_backward(self.on(), dx.slice_mut(), at.angles(), n_heads, head_dim)?)
    }

    fn attention(
        &self,
        batch: &CudaBatch<H>,
        (_, extent): (&BatchContext, Extent),
        input: Projected<'_, Self>,
        shape: AttentionShape,
        out: &mut Self::Values,
        lse: &mut Self::Singles,
    ) -> Done {
        let (on, Projected { q, k, v }) = (self.on(), input);
        out.resize(on, q.len())?;
        lse.resize(on, q.len() / shape.head_dim)?;
        let input = AttentionInput { q: q.slice(), k: k.slice(), v: v.slice(), shape };
        let plan = batch.attention(extent, shape.window);
        Ok(cuda::attention(on, input, plan, out.slice_mut(), lse.slice_mut())?)
    }

    fn attention_backward(
        &self,
        batch: &CudaBatch<H>,
        (_, extent): (&BatchContext, Extent),
        input: Projected<'_, Self>,
        attended: Attended<'_, Self>,
        shape: AttentionShape,
        [dq, dk, dv]: [&mut Self::Values; 3],
    ) -> Done {
        let (on, Projected { q, k, v }) = (self.on(), input);
        dq.resize(on, q.len())?;
        dk.resize(on, k.len())?;
        dv.resize(on, v.len())?;
        let Attended { out, lse, dout } = attended;
        let delta = &mut self.scratch().delta;
        delta.resize(on, lse.len())?;
        let input = AttentionInput { q: q.slice(), k: k.slice(), v: v.slice(), shape };
        let output = AttentionOutput { out: out.slice(), lse: lse.slice(), dout: dout.slice() };
        let (dq, dk, dv) = (dq.slice_mut(), dk.slice_mut(), dv.slice_mut());
        let grads = AttentionGrads { dq, dk, dv, delta: delta.slice_mut() };
        Ok(cuda::attention_backward(on, input, batch.attention(extent, shape.window), output, grads)?)
    }

    fn take_apart(
        &self,
        weights: Weights<'_, Self>,
        at: &Range<usize>,
        n_heads: usize,
        split: &mut Self::Values,
        to: &Range<usize>,
    ) -> Done {
        let (plan, out) = (self.apart(n_heads)?, split.slice_mut().range(to.clone()));
        let len = at.len() / (3 * n_heads);
        Ok(cuda::embedding(self.on(), weights.slice(at), plan.view(), len, out)?)
    }

    fn put_together(
        &self,
        split: &Self::Singles,
        from: &Range<usize>,
        n_heads: usize,
        gradient: &mut Self::Gradient,
        at: &Range<usize>,
    ) -> Done {
        let (plan, split) = (self.apart(n_heads)?, split.slice().range(from.clone()));
        let fused = gradient.slice_mut().range(at.clone());
        Ok(cuda::embedding_backward(self.on(), plan.view(), split, fused)?)
    }

    fn logps(
        &self,
        weights: Weights<'_, Self>,
        _: &CudaBatch<H>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        head: &mut CudaHead<H, T>,
        _: bool,
    ) -> Result<Vec<f64>, ModelError> {
        let input = head::input(&at, weights.slice(at.lm_head));
        Ok(head.logps(self.on(), input, context)?)
    }

    fn logps_backward(
        &self,
        weights: Weights<'_, Self>,
        _: &CudaBatch<H>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        head: &mut CudaHead<H, T>,
        dlogps: &[f64],
        dhidden: &mut Self::Values,
        gradient: &mut Self::Gradient,
    ) -> Done {
        dhidden.zeros(self.on(), at.hidden.len())?;
        let input = head::input(&at, weights.slice(at.lm_head));
        let dlm_head = gradient.slice_mut().range(at.lm_head.clone());
        let grads = HeadGrads { dhidden: dhidden.slice_mut(), dlm_head };
        Ok(head.backward(self.on(), input, context, dlogps, grads)?)
    }

    fn divergences(
        &self,
        weights: Weights<'_, Self>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        others: &[FrozenHead<'_, Self>],
        head: &mut CudaHead<H, T>,
    ) -> Result<RowValues, ModelError> {
        let input = head::input(&at, weights.slice(at.lm_head));
        let others: Vec<HeadInput<'_, T>> = others.iter().map(FrozenHead::input).collect();
        Ok(head.divergences(self.on(), input, &others, context)?)
    }

    fn divergences_backward(
        &self,
        weights: Weights<'_, Self>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        others: &[FrozenHead<'_, Self>],
        head: &mut CudaHead<H, T>,
        d: RowGradients<'_>,
        dhidden: &mut Self::Values,
        gradient: &mut Self::Gradient,
    ) -> Done {
        dhidden.zeros(self.on(), at.hidden.len())?;
        let input = head::input(&at, weights.slice(at.lm_head));
        let others: Vec<HeadInput<'_, T>> = others.iter().map(FrozenHead::input).collect();
        let dlm_head = gradient.slice_mut().range(at.lm_head.clone());
        let grads = HeadGrads { dhidden: dhidden.slice_mut(), dlm_head };
        Ok(head.divergences_backward(self.on(), (input, &others), context, d, grads)?)
    }

    fn logits(&self, weights: Weights<'_, Self>, at: HeadAt<'_, Self>) -> Result<Vec<f32>, ModelError> {
        Ok(head::logits(self.on(), head::input(&at, weights.slice(at.lm_head)))?)
    }

    fn log_collisions(
        &self,
        weights: Weights<'_, Self>,
        at: HeadAt<'_, Self>,
    ) -> Result<Vec<f64>, ModelError> {
        Ok(distribution::collisions(self.on(), head::input(&at, weights.slice(at.lm_head)))?)
    }

    fn distances(&self, models: [FrozenHead<'_, Self>; 2]) -> Result<Vec<f64>, ModelError> {
        Ok(distribution::distances(self.on(), models.map(|model| model.input()))?)
    }

    fn scale_rows(&self, values: &mut Self::Values, d: usize, factors: &[f32]) -> Done {
        let factors = DeviceBuffer::of(self.on(), factors)?;
        Ok(cuda::scale_rows(self.on(), values.slice_mut(), d, factors.slice())?)
    }
}
