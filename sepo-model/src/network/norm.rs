//! The norms, addressed in the flat buffer: RMSNorm where there is no shift, LayerNorm where there is one.

use sepo_kernels::{
    LayerNormForward, LayerNormGrads, Write, layer_norm, layer_norm_backward, rms_norm, rms_norm_backward,
};

use super::Weights;
use crate::architecture::NormAt;

/// Per row: the inverse of the root, and for LayerNorm the mean.
#[derive(Debug, Default)]
pub(crate) struct NormStats {
    mean: Vec<f32>,
    inverse: Vec<f32>,
}

/// `y = norm(x)`, both `[n, d]`.
pub(crate) fn norm_forward(
    weights: Weights<'_>,
    at: &NormAt,
    eps: f32,
    x: &[f32],
    y: &mut Vec<f32>,
    stats: &mut NormStats,
) {
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
}

/// A norm's way back, from the gradient of its output to that of its input.
pub(crate) struct NormBackward<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) at: &'a NormAt,
    pub(crate) x: &'a [f32],
    pub(crate) stats: &'a NormStats,
    pub(crate) dy: &'a [f32],
}

impl NormBackward<'_> {
    pub(crate) fn run(self, dx: &mut [f32], write: Write, gradient: &mut [f32]) {
        let Self { weights, at, x, stats, dy } = self;
        let scale = weights.at(&at.weight);
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
    }
}
