//! What needs whole distributions, on a device: divergences from frozen models, collisions, distances.

use sepo_kernels::cuda::{
    DeviceError, DivergenceBuffers, DivergenceGrads, DivergenceOutput, Float, HeadBufferLens, HeadGrads,
    HeadInput, HeadPlan, HeadTiling, Heap, HeapPlan, RowSumBuffers, RowSumLens, distribution_distances,
    gather_divergences, gather_divergences_backward, log_collisions,
};
use sepo_kernels::{HeadShape, RowGradients};

use super::head_memory::HeadMemory;
use super::{Cuda, DeviceBuffer};
use crate::backend::{FrozenHead, States};
use crate::batch::{BatchContext, RowValues};

/// What divergences leave for their way back, and work in beside the head's own memory.
pub(super) struct Diverged<H: Heap, T: Float> {
    other: OtherMemory<H, T>,
    logps: DeviceBuffer<H, f64>,
    forward_kl: DeviceBuffer<H, f64>,
    reverse_kl: DeviceBuffer<H, f64>,
    /// Of each hidden row, the network's and that of the others.
    lse: DeviceBuffer<H, f64>,
    dlogps: DeviceBuffer<H, f64>,
    dforward: DeviceBuffer<H, f64>,
    dreverse: DeviceBuffer<H, f64>,
}

impl<H: Heap, T: Float> Default for Diverged<H, T> {
    fn default() -> Self {
        Self {
            other: OtherMemory {
                packed: DeviceBuffer::default(),
                logits: DeviceBuffer::default(),
                difference: DeviceBuffer::default(),
            },
            logps: DeviceBuffer::default(),
            forward_kl: DeviceBuffer::default(),
            reverse_kl: DeviceBuffer::default(),
            lse: DeviceBuffer::default(),
            dlogps: DeviceBuffer::default(),
            dforward: DeviceBuffer::default(),
            dreverse: DeviceBuffer::default(),
        }
    }
}

/// What a chunk of the other distribution is worked on in.
struct OtherMemory<H: Heap, T: Float> {
    packed: DeviceBuffer<H, T>,
    logits: DeviceBuffer<H, f32>,
    difference: DeviceBuffer<H, f64>,
}

impl<H: Heap, T: Float> OtherMemory<H, T> {
    fn resize(
        &mut self,
        heap: &H,
        lens: HeadBufferLens,
        others: &[HeadInput<'_, T>],
    ) -> Result<(), DeviceError> {
        let widest = others.iter().map(|other| other.shape.d_model).max().unwrap_or(0);
        self.packed.resize(heap, lens.chunk * widest)?;
        self.logits.resize(heap, lens.logits)?;
        self.difference.resize(heap, 2 * lens.chunk)
    }
}

impl<'a, H: Heap, T: Float> FrozenHead<'a, Cuda<H, T>> {
    /// Hidden rows and the map, as launches take them.
    pub(super) fn input(&self) -> HeadInput<'a, T> {
        let States { hidden, d_model, lm_head } = self.states;
        let (n_hidden, vocab) = (hidden.len() / d_model, lm_head.len() / d_model);
        HeadInput {
            hidden: hidden.slice(),
            lm_head: self.weights.slice().range(lm_head.clone()),
            shape: HeadShape { n_hidden, d_model: *d_model, vocab },
            tiling: HeadTiling::default(),
        }
    }
}

impl<H: Heap, T: Float> Diverged<H, T> {
    /// Log-probabilities and divergences of sorted rows.
    pub(super) fn forward(
        &mut self,
        heap: &H,
        memory: &mut HeadMemory<H, T>,
        (input, others): (HeadInput<'_, T>, &[HeadInput<'_, T>]),
        context: &BatchContext,
    ) -> Result<RowValues, DeviceError> {
        let plan = HeadPlan::new(&context.rows, |_| true);
        let lens = HeadBufferLens::of(&plan, input.shape, input.tiling);
        // Both distributions have a maximum and a sum.
        memory.resize(heap, HeadBufferLens { chunk: 2 * lens.chunk, ..lens }, false)?;
        let Self { other, logps, forward_kl, reverse_kl, lse, .. } = self;
        other.resize(heap, lens, others)?;
        lse.resize(heap, 2 * input.shape.n_hidden)?;
        for values in [&mut *logps, &mut *forward_kl, &mut *reverse_kl] {
            values.resize(heap, context.rows.len())?;
        }
        let placed = heap.place(plan)?;
        let output = DivergenceOutput {
            logps: logps.slice_mut(),
            forward_kl: forward_kl.slice_mut(),
            reverse_kl: reverse_kl.slice_mut(),
            lse: lse.slice_mut(),
        };
        let buffers = DivergenceBuffers {
            head: memory.lend(),
            packed_other: other.packed.slice_mut(),
            logits_other: other.logits.slice_mut(),
            difference: other.difference.slice_mut(),
        };
        gather_divergences(heap, input, others, placed.view(), buffers, output)?;
        Ok(RowValues {
            logps: heap.download(logps.slice())?,
            forward_kl: heap.download(forward_kl.slice())?,
            reverse_kl: heap.download(reverse_kl.slice())?,
        })
    }

    /// The way back from there. Rows without a gradient are left out, as those of log-probabilities alone.
    pub(super) fn backward(
        &mut self,
        heap: &H,
        memory: &mut HeadMemory<H, T>,
        (input, others): (HeadInput<'_, T>, &[HeadInput<'_, T>]),
        (context, d): (&BatchContext, RowGradients<'_>),
        grads: HeadGrads<'_, T>,
    ) -> Result<(), DeviceError> {
        let lists = [d.logps, d.forward_kl, d.reverse_kl];
        let plan = HeadPlan::new(&context.rows, |row| lists.iter().any(|d| d[row] != 0.0));
        let lens = HeadBufferLens::of(&plan, input.shape, input.tiling);
        memory.resize(heap, lens, true)?;
        let Self { other, reverse_kl, lse, dlogps, dforward, dreverse, .. } = self;
        other.resize(heap, lens, others)?;
        for (values, d) in [&mut *dlogps, &mut *dforward, &mut *dreverse].into_iter().zip(lists) {
            values.upload(heap, d)?;
        }
        let placed = heap.place(plan)?;
        let buffers = DivergenceBuffers {
            head: memory.lend(),
            packed_other: other.packed.slice_mut(),
            logits_other: other.logits.slice_mut(),
            difference: other.difference.slice_mut(),
        };
        let d = DivergenceGrads {
            lse: lse.slice(),
            reverse_kl: reverse_kl.slice(),
            dlogps: dlogps.slice(),
            dforward: dforward.slice(),
            dreverse: dreverse.slice(),
        };
        let HeadGrads { dhidden, dlm_head } = grads;
        gather_divergences_backward(heap, input, others, placed.view(), buffers, d, dhidden, dlm_head)
    }
}

/// What a walk over the distributions of one model needs.
struct RowSums<H: Heap> {
    logits: DeviceBuffer<H, f32>,
    max: DeviceBuffer<H, f32>,
    sum: DeviceBuffer<H, f64>,
}

impl<H: Heap> RowSums<H> {
    fn new(heap: &H, lens: RowSumLens) -> Result<Self, DeviceError> {
        let mut sums = Self {
            logits: DeviceBuffer::default(),
            max: DeviceBuffer::default(),
            sum: DeviceBuffer::default(),
        };
        sums.logits.resize(heap, lens.logits)?;
        sums.max.resize(heap, lens.chunk)?;
        sums.sum.resize(heap, lens.chunk)?;
        Ok(sums)
    }

    fn lend(&mut self) -> RowSumBuffers<'_> {
        RowSumBuffers {
            logits: self.logits.slice_mut(),
            max: self.max.slice_mut(),
            sum: self.sum.slice_mut(),
        }
    }
}

/// `log Σ_v p(v)²` at every hidden row.
pub(super) fn collisions<H: Heap, T: Float>(
    heap: &H,
    input: HeadInput<'_, T>,
) -> Result<Vec<f64>, DeviceError> {
    let lens = RowSumLens::of(&input);
    let mut sums = RowSums::new(heap, lens)?;
    let (mut squares, mut collisions) = (DeviceBuffer::default(), DeviceBuffer::default());
    squares.resize(heap, lens.chunk)?;
    collisions.resize(heap, input.shape.n_hidden)?;
    log_collisions(heap, input, sums.lend(), squares.slice_mut(), collisions.slice_mut())?;
    heap.download(collisions.slice())
}

/// `Σ_v |p(v) − q(v)|` at every hidden row.
pub(super) fn distances<H: Heap, T: Float>(
    heap: &H,
    models: [HeadInput<'_, T>; 2],
) -> Result<Vec<f64>, DeviceError> {
    let [mut first, mut second] =
        [RowSums::new(heap, RowSumLens::of(&models[0]))?, RowSums::new(heap, RowSumLens::of(&models[1]))?];
    let mut distances = DeviceBuffer::default();
    distances.resize(heap, models[0].shape.n_hidden)?;
    distribution_distances(heap, models, [first.lend(), second.lend()], distances.slice_mut())?;
    heap.download(distances.slice())
}
