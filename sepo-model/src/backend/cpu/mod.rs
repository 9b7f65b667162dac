//! The CPU: buffers are vectors, and operations those of [`sepo_kernels`].

mod batch;
mod head;

use std::ops::Range;

use rayon::prelude::*;
use sepo_kernels::{
    AttentionForward, AttentionGrads, AttentionShape, Gelu, HeadShape, LayerNormForward, LayerNormGrads,
    LinearShape, Precision, RotaryConfig, RowGradients, Write, add_bias, attention, attention_backward,
    bias_backward, distribution_distances, embedding, embedding_backward, gelu, gelu_backward, layer_norm,
    layer_norm_backward, linear, linear_backward_input, linear_backward_weight, log_collisions, rms_norm,
    rms_norm_backward, rotary, rotary_backward, scale_rows, swiglu, swiglu_backward,
};

use super::{
    Attended, Backend, Done, FrozenHead, HeadAt, LinearBack, NormBack, NormStats, Projected, Weights,
};
use crate::architecture::{LinearAt, NormAt};
use crate::batch::{BatchContext, Extent, RowValues};
use crate::{Dtype, ModelError, Parameters};
use batch::{CpuBatch, RotaryCache, Rotation};
use head::CpuHead;

/// Logits that a forward pass may leave for its backward pass: 256 MB. Beyond that they are computed again.
pub const MAX_KEPT_LOGITS: usize = 64 << 20;

/// Values that one thread sets to 0.
const ZEROS_OF_A_TASK: usize = 1 << 16;

/// The CPU, with the threads of the current rayon pool. Its operations cannot fail.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu;

/// Sizes of a map whose weight is at `at`.
fn shape(at: &LinearAt, x: &[f32], d_in: usize) -> LinearShape {
    LinearShape { n_rows: x.len() / d_in, d_in, d_out: at.weight.len() / d_in }
}

impl Backend for Cpu {
    const NAME: &'static str = "cpu";
    const DTYPE: Option<Dtype> = None;

    type Values = Vec<f32>;
    type Singles = Vec<f32>;
    type Flat = [f32];
    type Gradient = [f32];
    type Parameters = Parameters;
    type Loaded<'p> = &'p Parameters;
    type RotaryTables = RotaryCache;
    type Rotation = Rotation;
    type Batch = CpuBatch;
    type Head = CpuHead;

    fn load<'p>(&self, parameters: &'p Parameters) -> Result<&'p Parameters, ModelError> {
        Ok(parameters)
    }

    fn flat(parameters: &Parameters) -> &[f32] {
        parameters.as_slice()
    }

    fn n_weights(flat: &[f32]) -> usize {
        flat.len()
    }

    fn n_gradient(gradient: &[f32]) -> usize {
        gradient.len()
    }

    fn len(values: &Vec<f32>) -> usize {
        values.len()
    }

    fn rotary_tables(config: &RotaryConfig) -> RotaryCache {
        RotaryCache::new(config)
    }

    fn place(
        &self,
        tables: &mut RotaryCache,
        _: &[u32],
        context: &BatchContext,
        _: &[Option<usize>],
        _: usize,
        _: &[Extent],
    ) -> Result<CpuBatch, ModelError> {
        Ok(CpuBatch::new(tables, context))
    }

    fn rotation(batch: &CpuBatch, extent: Extent) -> &Rotation {
        batch.rotation(extent)
    }

    fn resize(&self, values: &mut Vec<f32>, len: usize) -> Done {
        values.resize(len, 0.0);
        Ok(())
    }

    fn zeros(&self, values: &mut Vec<f32>, len: usize) -> Done {
        values.clear();
        values.resize(len, 0.0);
        Ok(())
    }

    fn zero_singles(&self, singles: &mut Vec<f32>, len: usize) -> Done {
        // Long ones are gradients, the same length in every step: on all threads.
        if singles.len() == len && len > ZEROS_OF_A_TASK {
            singles.par_chunks_mut(ZEROS_OF_A_TASK).for_each(|zeros| zeros.fill(0.0));
        } else {
            singles.clear();
            singles.resize(len, 0.0);
        }
        Ok(())
    }

    fn to_host(&self, values: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        Ok(values)
    }

    fn copy(&self, from: &Vec<f32>, to: &mut Vec<f32>) -> Done {
        to.clone_from(from);
        Ok(())
    }

    fn gather_rows(
        &self,
        _: &CpuBatch,
        context: &BatchContext,
        x: &Vec<f32>,
        d: usize,
        out: &mut Vec<f32>,
    ) -> Done {
        out.clear();
        for position in &context.needed {
            out.extend_from_slice(&x[*position as usize * d..][..d]);
        }
        Ok(())
    }

    fn add_rows(
        &self,
        _: &CpuBatch,
        context: &BatchContext,
        rows: &Vec<f32>,
        d: usize,
        x: &mut Vec<f32>,
    ) -> Done {
        for (position, row) in context.needed.iter().zip(rows.chunks_exact(d)) {
            for (sum, value) in x[*position as usize * d..][..d].iter_mut().zip(row) {
                *sum += value;
            }
        }
        Ok(())
    }

    fn embedding(
        &self,
        weights: Weights<'_>,
        at: &Range<usize>,
        _: &CpuBatch,
        tokens: &[u32],
        d_model: usize,
        x: &mut Vec<f32>,
    ) -> Done {
        x.resize(tokens.len() * d_model, 0.0);
        embedding(weights.at(at), tokens, d_model, x);
        Ok(())
    }

    fn embedding_backward(
        &self,
        at: &Range<usize>,
        _: &CpuBatch,
        tokens: &[u32],
        d_model: usize,
        dx: &Vec<f32>,
        gradient: &mut [f32],
    ) -> Done {
        embedding_backward(tokens, dx, d_model, &mut gradient[at.clone()]);
        Ok(())
    }

    fn linear(
        &self,
        weights: Weights<'_>,
        at: &LinearAt,
        d_in: usize,
        x: &Vec<f32>,
        y: &mut Vec<f32>,
        write: Write,
    ) -> Done {
        let shape = shape(at, x, d_in);
        if write == Write::Overwrite {
            y.resize(shape.n_rows * shape.d_out, 0.0);
        }
        linear(x, weights.at(&at.weight), y, shape, write, weights.precision);
        if let Some(bias) = &at.bias {
            add_bias(y, weights.at(bias));
        }
        Ok(())
    }

    fn linear_onto(
        &self,
        weights: Weights<'_>,
        at: &LinearAt,
        d_in: usize,
        x: &Vec<f32>,
        onto: &Vec<f32>,
        y: &mut Vec<f32>,
    ) -> Done {
        y.clone_from(onto);
        self.linear(weights, at, d_in, x, y, Write::Add)
    }

    fn linear_backward(
        &self,
        weights: Weights<'_>,
        back: LinearBack<'_, Self>,
        dx: &mut Vec<f32>,
        write: Write,
        gradient: &mut [f32],
    ) -> Done {
        let LinearBack { at, d_in, x, dy } = back;
        let shape = shape(at, x, d_in);
        if write == Write::Overwrite {
            dx.resize(x.len(), 0.0);
        }
        linear_backward_input(dy, weights.at(&at.weight), dx, shape, write, weights.precision);
        linear_backward_weight(x, dy, &mut gradient[at.weight.clone()], shape, weights.precision);
        if let Some(bias) = &at.bias {
            bias_backward(dy, &mut gradient[bias.clone()]);
        }
        Ok(())
    }

    fn norm(
        &self,
        weights: Weights<'_>,
        at: &NormAt,
        eps: f32,
        x: &Vec<f32>,
        y: &mut Vec<f32>,
        stats: &mut NormStats<Self>,
    ) -> Done {
        let scale = weights.at(&at.weight);
        let n = x.len() / scale.len();
        y.resize(x.len(), 0.0);
        stats.inverse.resize(n, 0.0);
        match &at.bias {
            None => rms_norm(x, scale, eps, y, &mut stats.inverse),
            Some(bias) => {
                stats.mean.resize(n, 0.0);
                layer_norm(x, scale, weights.at(bias), eps, y, &mut stats.mean, &mut stats.inverse);
            }
        }
        Ok(())
    }

    fn norm_backward(
        &self,
        weights: Weights<'_>,
        back: NormBack<'_, Self>,
        dx: &mut Vec<f32>,
        write: Write,
        gradient: &mut [f32],
    ) -> Done {
        let NormBack { at, x, stats, dy } = back;
        let scale = weights.at(&at.weight);
        if write == Write::Overwrite {
            dx.resize(x.len(), 0.0);
        }
        match &at.bias {
            None => {
                rms_norm_backward(x, scale, &stats.inverse, dy, dx, &mut gradient[at.weight.clone()], write);
            }
            Some(bias) => {
                // The shift follows its scale in the flat buffer.
                let (dweight, dbias) = gradient[at.weight.start..bias.end].split_at_mut(at.weight.len());
                let forward =
                    LayerNormForward { x, weight: scale, mean: &stats.mean, inv_std: &stats.inverse };
                layer_norm_backward(forward, dy, LayerNormGrads { dx, dweight, dbias }, write);
            }
        }
        Ok(())
    }

    fn swiglu(&self, gate_up: &Vec<f32>, d: usize, out: &mut Vec<f32>) -> Done {
        out.resize(gate_up.len() / 2, 0.0);
        swiglu(gate_up, out, d);
        Ok(())
    }

    fn swiglu_backward(
        &self,
        gate_up: &Vec<f32>,
        d: usize,
        dout: &Vec<f32>,
        dgate_up: &mut Vec<f32>,
    ) -> Done {
        dgate_up.resize(gate_up.len(), 0.0);
        swiglu_backward(gate_up, dout, dgate_up, d);
        Ok(())
    }

    fn gelu(&self, x: &Vec<f32>, y: &mut Vec<f32>, kind: Gelu) -> Done {
        y.resize(x.len(), 0.0);
        gelu(x, y, kind);
        Ok(())
    }

    fn gelu_backward(&self, x: &Vec<f32>, dy: &Vec<f32>, dx: &mut Vec<f32>, kind: Gelu) -> Done {
        dx.resize(x.len(), 0.0);
        gelu_backward(x, dy, dx, kind);
        Ok(())
    }

    fn rotary(&self, x: &mut Vec<f32>, at: &Rotation, n_heads: usize, head_dim: usize) -> Done {
        rotary(x, &at.positions, &at.table, n_heads, head_dim);
        Ok(())
    }

    fn rotary_backward(&self, dx: &mut Vec<f32>, at: &Rotation, n_heads: usize, head_dim: usize) -> Done {
        rotary_backward(dx, &at.positions, &at.table, n_heads, head_dim);
        Ok(())
    }

    fn attention(
        &self,
        _: &CpuBatch,
        (context, extent): (&BatchContext, Extent),
        input: Projected<'_, Self>,
        shape: AttentionShape,
        out: &mut Vec<f32>,
        lse: &mut Vec<f32>,
    ) -> Done {
        let Projected { q, k, v } = input;
        out.resize(q.len(), 0.0);
        lse.resize(q.len() / shape.head_dim, 0.0);
        attention(q, k, v, extent.attention_layout(context), shape, out, lse);
        Ok(())
    }

    fn attention_backward(
        &self,
        _: &CpuBatch,
        (context, extent): (&BatchContext, Extent),
        input: Projected<'_, Self>,
        attended: Attended<'_, Self>,
        shape: AttentionShape,
        [dq, dk, dv]: [&mut Vec<f32>; 3],
    ) -> Done {
        let (Projected { q, k, v }, Attended { out, lse, dout }) = (input, attended);
        dq.resize(q.len(), 0.0);
        dk.resize(k.len(), 0.0);
        dv.resize(v.len(), 0.0);
        let forward = AttentionForward { q, k, v, out, lse };
        let grads = AttentionGrads { dq, dk, dv };
        attention_backward(forward, dout, extent.attention_layout(context), shape, grads);
        Ok(())
    }

    fn take_apart(
        &self,
        weights: Weights<'_>,
        at: &Range<usize>,
        n_heads: usize,
        split: &mut Vec<f32>,
        to: &Range<usize>,
    ) -> Done {
        let fused = weights.at(at);
        let len = fused.len() / (3 * n_heads);
        for (i, piece) in split[to.clone()].chunks_exact_mut(len).enumerate() {
            let (part, head) = (i / n_heads, i % n_heads);
            piece.copy_from_slice(&fused[(3 * head + part) * len..][..len]);
        }
        Ok(())
    }

    fn put_together(
        &self,
        split: &Vec<f32>,
        from: &Range<usize>,
        n_heads: usize,
        gradient: &mut [f32],
        at: &Range<usize>,
    ) -> Done {
        let (split, fused) = (&split[from.clone()], &mut gradient[at.clone()]);
        let len = split.len() / (3 * n_heads);
        for (i, piece) in split.chunks_exact(len).enumerate() {
            let (part, head) = (i / n_heads, i % n_heads);
            for (sum, value) in fused[(3 * head + part) * len..][..len].iter_mut().zip(piece) {
                *sum += value;
            }
        }
        Ok(())
    }

    fn logps(
        &self,
        weights: Weights<'_>,
        _: &CpuBatch,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        head: &mut CpuHead,
        backward_follows: bool,
    ) -> Result<Vec<f64>, ModelError> {
        Ok(head.logps(weights, context, &at, if backward_follows { MAX_KEPT_LOGITS } else { 0 }))
    }

    fn logps_backward(
        &self,
        weights: Weights<'_>,
        _: &CpuBatch,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        head: &mut CpuHead,
        dlogps: &[f64],
        dhidden: &mut Vec<f32>,
        gradient: &mut [f32],
    ) -> Done {
        let grads = (dhidden, &mut gradient[at.lm_head.clone()]);
        head.logps_backward(weights, context, &at, dlogps, grads)
    }

    fn divergences(
        &self,
        weights: Weights<'_>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        others: &[FrozenHead<'_>],
        head: &mut CpuHead,
    ) -> Result<RowValues, ModelError> {
        Ok(head.divergences(weights, context, &at, others))
    }

    fn divergences_backward(
        &self,
        weights: Weights<'_>,
        context: &BatchContext,
        at: HeadAt<'_, Self>,
        others: &[FrozenHead<'_>],
        head: &mut CpuHead,
        d: RowGradients<'_>,
        dhidden: &mut Vec<f32>,
        gradient: &mut [f32],
    ) -> Done {
        let grads = (dhidden, &mut gradient[at.lm_head.clone()]);
        head.divergences_backward(weights, context, &at, others, d, grads)
    }

    fn logits(&self, weights: Weights<'_>, at: HeadAt<'_, Self>) -> Result<Vec<f32>, ModelError> {
        let HeadShape { n_hidden, d_model, vocab } = at.shape();
        let shape = LinearShape { n_rows: n_hidden, d_in: d_model, d_out: vocab };
        let mut logits = vec![0.0; n_hidden * vocab];
        let lm_head = weights.at(at.lm_head);
        linear(at.hidden, lm_head, &mut logits, shape, Write::Overwrite, weights.precision);
        Ok(logits)
    }

    fn log_collisions(&self, weights: Weights<'_>, at: HeadAt<'_, Self>) -> Result<Vec<f64>, ModelError> {
        Ok(log_collisions(at.states(weights), weights.precision))
    }

    fn distances(&self, [one, other]: [FrozenHead<'_>; 2]) -> Result<Vec<f64>, ModelError> {
        Ok(distribution_distances(one.states(), other.states(), Precision::F32))
    }

    fn scale_rows(&self, values: &mut Vec<f32>, d: usize, factors: &[f32]) -> Done {
        scale_rows(values, d, factors);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_map_comes_apart_by_head_and_together_again() {
        // Two heads, one row each, d_model 2: rows are q0 k0 v0 q1 k1 v1.
        let fused = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let mut split = vec![0.0; 12];
        let weights = Weights { on: &Cpu, values: &fused[..], precision: Precision::F32 };
        Cpu.take_apart(weights, &(0..12), 2, &mut split, &(0..12)).unwrap();
        assert_eq!(split, [1.0, 2.0, 7.0, 8.0, 3.0, 4.0, 9.0, 10.0, 5.0, 6.0, 11.0, 12.0]);
        let mut sum = [100.0; 12];
        Cpu.put_together(&split, &(0..12), 2, &mut sum, &(0..12)).unwrap();
        assert_eq!(sum, fused.map(|x| x + 100.0));
    }
}
