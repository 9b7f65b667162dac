//! The MLP, gated or plain.

use sepo_kernels::{Gelu, Write, gelu, gelu_backward, swiglu, swiglu_backward};

use super::Weights;
use super::linear::{LinearBackward, linear_forward};
use crate::architecture::MlpAt;

/// Hidden layers of an MLP, `[n, d_ff]` each.
#[derive(Debug, Default)]
pub(crate) struct MlpActivations {
    /// `gate(x)` of a gated MLP.
    gate: Vec<f32>,
    up: Vec<f32>,
}

/// Gradients of [`MlpActivations`] and of the input of the last map.
#[derive(Debug, Default)]
pub(crate) struct MlpScratch {
    gate: Vec<f32>,
    up: Vec<f32>,
    inner: Vec<f32>,
}

/// An MLP of one shape.
#[derive(Debug)]
pub(crate) struct MlpLayer {
    at: MlpAt,
    activation: Gelu,
    d_model: usize,
    d_ff: usize,
}

impl MlpLayer {
    pub(crate) fn new(config: &crate::ModelConfig, at: &MlpAt) -> Self {
        let activation = match config.mlp {
            crate::Mlp::Gelu(kind) => kind,
            // Unused: a gated MLP has its own activation.
            crate::Mlp::SwiGlu => Gelu::Exact,
        };
        Self { at: at.clone(), activation, d_model: config.d_model, d_ff: config.d_ff }
    }

    /// `y += mlp(x)`; the input of the last map goes to `inner`.
    pub(crate) fn forward(
        &self,
        weights: Weights<'_>,
        x: &[f32],
        (a, inner): (&mut MlpActivations, &mut Vec<f32>),
        y: &mut [f32],
    ) {
        let (d, ff) = (self.d_model, self.d_ff);
        let n = x.len() / d * ff;
        a.up.resize(n, 0.0);
        match &self.at {
            MlpAt::Gated { gate, up, .. } => {
                a.gate.resize(n, 0.0);
                linear_forward(weights, gate, d, x, &mut a.gate, Write::Overwrite);
                linear_forward(weights, up, d, x, &mut a.up, Write::Overwrite);
            }
            MlpAt::Plain { up, .. } => linear_forward(weights, up, d, x, &mut a.up, Write::Overwrite),
        }
        self.activate(a, inner);
        let (MlpAt::Gated { down, .. } | MlpAt::Plain { down, .. }) = &self.at;
        linear_forward(weights, down, ff, inner, y, Write::Add);
    }

    /// The input of the last map, from what the maps before it put out.
    fn activate(&self, a: &MlpActivations, inner: &mut Vec<f32>) {
        inner.resize(a.up.len(), 0.0);
        match &self.at {
            MlpAt::Gated { .. } => swiglu(&a.gate, &a.up, inner),
            MlpAt::Plain { .. } => gelu(&a.up, inner, self.activation),
        }
    }

    /// `dx = dy · ∂mlp/∂x`, gradients of the weights added; the input of the last map is made again, in `inner`.
    pub(crate) fn backward(
        &self,
        pass: MlpBackward<'_>,
        (s, inner): (&mut MlpScratch, &mut Vec<f32>),
        dx: &mut [f32],
        gradient: &mut [f32],
    ) {
        let MlpBackward { weights, x, activations: a, dy } = pass;
        let (d, ff) = (self.d_model, self.d_ff);
        self.activate(a, inner);
        s.inner.resize(inner.len(), 0.0);
        s.up.resize(a.up.len(), 0.0);
        let (MlpAt::Gated { up, down, .. } | MlpAt::Plain { up, down }) = &self.at;
        LinearBackward { weights, at: down, d_in: ff, x: inner, dy }.run(
            &mut s.inner,
            Write::Overwrite,
            gradient,
        );
        if let MlpAt::Gated { gate, .. } = &self.at {
            s.gate.resize(a.gate.len(), 0.0);
            swiglu_backward(&a.gate, &a.up, &s.inner, &mut s.gate, &mut s.up);
            LinearBackward { weights, at: gate, d_in: d, x, dy: &s.gate }.run(dx, Write::Overwrite, gradient);
            LinearBackward { weights, at: up, d_in: d, x, dy: &s.up }.run(dx, Write::Add, gradient);
        } else {
            gelu_backward(&a.up, &s.inner, &mut s.up, self.activation);
            LinearBackward { weights, at: up, d_in: d, x, dy: &s.up }.run(dx, Write::Overwrite, gradient);
        }
    }
}

/// What the way back through an MLP starts from.
pub(crate) struct MlpBackward<'a> {
    pub(crate) weights: Weights<'a>,
    pub(crate) x: &'a [f32],
    pub(crate) activations: &'a MlpActivations,
    pub(crate) dy: &'a [f32],
}
