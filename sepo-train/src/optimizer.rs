//! Gradient norm, clipping and AdamW over one flat buffer.

use std::borrow::Borrow;
use std::ops::Range;

use sepo_kernels::{AdamWStep, sum_of_squares};
use sepo_model::ParameterInfo;

use crate::backend::{TrainBackend, Update};
use crate::{TrainConfig, TrainError};

/// The moments of AdamW, laid out as the parameters are.
#[derive(Debug)]
pub(crate) struct Optimizer<B: TrainBackend> {
    pub(crate) m: B::Singles,
    pub(crate) v: B::Singles,
    /// Updates made.
    pub(crate) step: u64,
    /// Neighbouring tensors of the same kind are one range, with `true` where weight decay applies.
    ranges: Vec<(Range<usize>, bool)>,
}

/// Moments on the CPU, and how many updates made them.
pub(crate) struct Moments {
    pub(crate) m: Vec<f32>,
    pub(crate) v: Vec<f32>,
    pub(crate) step: u64,
}

impl<B: TrainBackend> Optimizer<B> {
    /// An optimizer that goes on from these moments, or begins.
    pub(crate) fn new(
        on: &B,
        layout: &[ParameterInfo],
        moments: Option<Moments>,
    ) -> Result<Self, TrainError> {
        let n = layout.last().map_or(0, |info| info.range.end);
        let mut ranges: Vec<(Range<usize>, bool)> = Vec::new();
        for info in layout {
            match ranges.last_mut() {
                Some((range, decay)) if *decay == info.decay && range.end == info.range.start => {
                    range.end = info.range.end;
                }
                _ => ranges.push((info.range.clone(), info.decay)),
            }
        }
        if let Some(Moments { m, v, step }) = moments {
            return Ok(Self { m: on.to_singles(m)?, v: on.to_singles(v)?, step, ranges });
        }
        let (mut m, mut v) = (B::Singles::default(), B::Singles::default());
        on.zero_singles(&mut m, n)?;
        on.zero_singles(&mut v, n)?;
        Ok(Self { m, v, step: 0, ranges })
    }

    /// One update with the learning rate of this step and the gradient of a sum over `n_units`; the norm of the mean's.
    ///
    /// A learning rate of 0 leaves every bit of the parameters. Where the norm is not finite, nothing is changed.
    pub(crate) fn update(
        &mut self,
        on: &B,
        weights: &mut B::Trained<'_>,
        (gradient, n_units): (&B::Gradient, f64),
        learning_rate: f64,
        config: &TrainConfig,
    ) -> Result<f64, TrainError> {
        let step = |decay: bool| {
            let weight_decay = if decay { config.weight_decay } else { 0.0 };
            adamw_step(config, learning_rate, weight_decay, self.step + 1)
        };
        let steps: Vec<(Range<usize>, AdamWStep)> =
            self.ranges.iter().map(|(range, decay)| (range.clone(), step(*decay))).collect();
        let update = Update { n_units, max_norm: config.max_grad_norm, steps: &steps };
        let norm = on.update(weights, [&mut self.m, &mut self.v], gradient, update)?;
        self.step += u64::from(norm.is_finite());
        Ok(norm)
    }
}

/// Zeros for the gradient of a new step.
pub(crate) fn zero<B: TrainBackend>(on: &B, gradient: &mut B::Singles) -> Result<(), TrainError> {
    let n = B::n_gradient((*gradient).borrow());
    Ok(on.zero_singles(gradient, n)?)
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
