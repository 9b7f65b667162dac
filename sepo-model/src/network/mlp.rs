//! The MLP, gated or plain.

use sepo_kernels::{Gelu, Write};

use crate::ModelError;
use crate::architecture::MlpAt;
use crate::backend::{Backend, Cpu, LinearBack, Weights};

/// Hidden layers of an MLP, `[n, d_ff]` each.
#[derive(Debug)]
pub(crate) struct MlpActivations<B: Backend = Cpu> {
    /// `gate(x)` of a gated MLP.
    gate: B::Values,
    up: B::Values,
}

impl<B: Backend> Default for MlpActivations<B> {
    fn default() -> Self {
        Self { gate: B::Values::default(), up: B::Values::default() }
    }
}

/// Gradients of [`MlpActivations`] and of the input of the last map.
#[derive(Debug)]
pub(crate) struct MlpScratch<B: Backend> {
    gate: B::Values,
    up: B::Values,
    inner: B::Values,
}

impl<B: Backend> Default for MlpScratch<B> {
    fn default() -> Self {
        Self { gate: B::Values::default(), up: B::Values::default(), inner: B::Values::default() }
    }
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
    pub(crate) fn forward<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        x: &B::Values,
        (a, inner): (&mut MlpActivations<B>, &mut B::Values),
        y: &mut B::Values,
    ) -> Result<(), ModelError> {
        let (on, d) = (weights.on, self.d_model);
        let (MlpAt::Gated { up, down, .. } | MlpAt::Plain { up, down }) = &self.at;
        if let MlpAt::Gated { gate, .. } = &self.at {
            on.linear(weights, gate, d, x, &mut a.gate, Write::Overwrite)?;
        }
        on.linear(weights, up, d, x, &mut a.up, Write::Overwrite)?;
        self.activate(on, a, inner)?;
        on.linear(weights, down, self.d_ff, inner, y, Write::Add)
    }

    /// The input of the last map, from what the maps before it put out.
    fn activate<B: Backend>(
        &self,
        on: &B,
        a: &MlpActivations<B>,
        inner: &mut B::Values,
    ) -> Result<(), ModelError> {
        match &self.at {
            MlpAt::Gated { .. } => on.swiglu(&a.gate, &a.up, inner),
            MlpAt::Plain { .. } => on.gelu(&a.up, inner, self.activation),
        }
    }

    /// `dx = dy · ∂mlp/∂x`, gradients of the weights added; the input of the last map is made again, in `inner`.
    pub(crate) fn backward<B: Backend>(
        &self,
        pass: MlpBackward<'_, B>,
        (s, inner): (&mut MlpScratch<B>, &mut B::Values),
        dx: &mut B::Values,
        gradient: &mut B::Gradient,
    ) -> Result<(), ModelError> {
        let MlpBackward { weights, x, activations: a, dy } = pass;
        let on = weights.on;
        self.activate(on, a, inner)?;
        let (MlpAt::Gated { up, down, .. } | MlpAt::Plain { up, down }) = &self.at;
        let back = LinearBack { at: down, d_in: self.d_ff, x: inner, dy };
        on.linear_backward(weights, back, &mut s.inner, Write::Overwrite, gradient)?;
        let into_x = |at, dy| LinearBack { at, d_in: self.d_model, x, dy };
        if let MlpAt::Gated { gate, .. } = &self.at {
            on.swiglu_backward(&a.gate, &a.up, &s.inner, &mut s.gate, &mut s.up)?;
            on.linear_backward(weights, into_x(gate, &s.gate), dx, Write::Overwrite, gradient)?;
            on.linear_backward(weights, into_x(up, &s.up), dx, Write::Add, gradient)
        } else {
            on.gelu_backward(&a.up, &s.inner, &mut s.up, self.activation)?;
            on.linear_backward(weights, into_x(up, &s.up), dx, Write::Overwrite, gradient)
        }
    }
}

/// What the way back through an MLP starts from.
pub(crate) struct MlpBackward<'a, B: Backend> {
    pub(crate) weights: Weights<'a, B>,
    pub(crate) x: &'a B::Values,
    pub(crate) activations: &'a MlpActivations<B>,
    pub(crate) dy: &'a B::Values,
}
