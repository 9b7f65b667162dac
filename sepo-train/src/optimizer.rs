//! Gradient norm, clipping and AdamW over one flat buffer.

use std::ops::Range;

use rayon::prelude::*;
use sepo_kernels::{AdamWStep, adamw, sum_of_squares};
use sepo_model::Parameters;

use crate::TrainConfig;

/// The moments of AdamW, laid out as the parameters are.
#[derive(Debug)]
pub(crate) struct Optimizer {
    pub(crate) m: Vec<f32>,
    pub(crate) v: Vec<f32>,
    /// Updates made.
    pub(crate) step: u64,
    /// Neighbouring tensors of the same kind are one range, with `true` where weight decay applies.
    ranges: Vec<(Range<usize>, bool)>,
}

impl Optimizer {
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let n = parameters.as_slice().len();
        let mut ranges: Vec<(Range<usize>, bool)> = Vec::new();
        for info in parameters.layout() {
            match ranges.last_mut() {
                Some((range, decay)) if *decay == info.decay && range.end == info.range.start => {
                    range.end = info.range.end;
                }
                _ => ranges.push((info.range.clone(), info.decay)),
            }
        }
        Self { m: zeros(n), v: zeros(n), step: 0, ranges }
    }

    /// One update with the learning rate of this step and `factor` times the gradient. A learning rate of 0 leaves every
    /// bit of the parameters.
    pub(crate) fn update(
        &mut self,
        parameters: &mut Parameters,
        (grads, factor): (&[f32], f32),
        learning_rate: f64,
        config: &TrainConfig,
    ) {
        self.step += 1;
        let values = parameters.as_mut_slice();
        for (range, decay) in &self.ranges {
            let weight_decay = if *decay { config.weight_decay } else { 0.0 };
            adamw(
                &mut values[range.clone()],
                &grads[range.clone()],
                &mut self.m[range.clone()],
                &mut self.v[range.clone()],
                &AdamWStep {
                    gradient_factor: factor,
                    ..adamw_step(config, learning_rate, weight_decay, self.step)
                },
            );
        }
    }
}

/// Zeros in memory that is already there: an update reads before it writes, and pages that are read first are mapped twice.
fn zeros(n: usize) -> Vec<f32> {
    let mut zeros = Vec::with_capacity(n);
    zeros.resize(n, 0.0);
    zeros
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the kernel computes in f32; settings are rounded once, here"
)]
pub(crate) fn adamw_step(
    config: &TrainConfig,
    learning_rate: f64,
    weight_decay: f64,
    step: u64,
) -> AdamWStep {
    AdamWStep {
        learning_rate: learning_rate as f32,
        beta1: config.adam_beta1 as f32,
        beta2: config.adam_beta2 as f32,
        eps: config.adam_eps as f32,
        weight_decay: weight_decay as f32,
        gradient_factor: 1.0,
        step,
    }
}

/// Zeros in every place, written on all threads.
pub(crate) fn zero(values: &mut [f32]) {
    values.par_chunks_mut(1 << 16).for_each(|chunk| chunk.fill(0.0));
}

/// Norm of the gradient of the mean, where `grads` is the gradient of a sum over `n_units`.
pub(crate) fn mean_norm(grads: &[f32], n_units: f64) -> f64 {
    sum_of_squares(grads).sqrt() / n_units
}

/// What turns the gradient of a sum over `n_units` into that of the mean, shortened to `max_norm` where it is longer.
///
/// As in PyTorch's `clip_grad_norm_`, the clip is `min(1, max_norm / (norm + 1e-6))`. Division and clipping are one factor,
/// so a gradient is rounded once.
pub(crate) fn mean_and_clip(n_units: f64, norm: f64, max_norm: Option<f64>) -> f32 {
    let clip = max_norm.map_or(1.0, |max_norm| (max_norm / (norm + 1e-6)).min(1.0));
    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
    let factor = (clip / n_units) as f32;
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_gradient_is_shortened_and_a_short_one_is_only_divided() {
        let grads = [6.0, 8.0];
        let norm = mean_norm(&grads, 2.0);
        assert_eq!(norm, 5.0);
        let shortened = grads.map(|grad| grad * mean_and_clip(2.0, norm, Some(1.0)));
        assert!((mean_norm(&shortened, 1.0) - 1.0).abs() < 1e-6);
        assert_eq!(mean_and_clip(2.0, norm, Some(10.0)), 0.5);
        assert_eq!(mean_and_clip(1.0, norm, None), 1.0);
    }
}
