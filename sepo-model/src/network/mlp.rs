//! The MLP, gated or plain.

use sepo_kernels::Write;

use crate::architecture::MlpAt;
use crate::backend::{Backend, Cpu, LinearBack, Weights};
use crate::{Mlp, ModelConfig, ModelError};

/// The hidden layer of an MLP before its activation.
#[derive(Debug)]
pub(crate) struct MlpActivations<B: Backend = Cpu> {
    /// `[n, d_ff]`, or `[n, 2 d_ff]`: gate and up side by side.
    hidden: B::Values,
}

impl<B: Backend> Default for MlpActivations<B> {
    fn default() -> Self {
        Self { hidden: B::Values::default() }
    }
}

/// Gradients of [`MlpActivations`] and of the input of the last map.
#[derive(Debug)]
pub(crate) struct MlpScratch<B: Backend> {
    hidden: B::Values,
    inner: B::Values,
}

impl<B: Backend> Default for MlpScratch<B> {
    fn default() -> Self {
        Self { hidden: B::Values::default(), inner: B::Values::default() }
    }
}

/// An MLP of one shape.
#[derive(Debug)]
pub(crate) struct MlpLayer {
    at: MlpAt,
    kind: Mlp,
    d_model: usize,
    d_ff: usize,
}

impl MlpLayer {
    pub(crate) fn new(config: &ModelConfig, at: &MlpAt) -> Self {
        Self { at: at.clone(), kind: config.mlp, d_model: config.d_model, d_ff: config.d_ff }
    }

    /// `y = onto + mlp(x)`, or `y += mlp(x)`; the input of the last map goes to `inner`.
    pub(crate) fn forward<B: Backend>(
        &self,
        weights: Weights<'_, B>,
        x: &B::Values,
        (a, inner): (&mut MlpActivations<B>, &mut B::Values),
        (onto, y): (Option<&B::Values>, &mut B::Values),
    ) -> Result<(), ModelError> {
        let (on, MlpAt { up, down }) = (weights.on, &self.at);
        on.linear(weights, up, self.d_model, x, &mut a.hidden, Write::Overwrite)?;
        self.activate(on, a, inner)?;
        match onto {
            Some(onto) => on.linear_onto(weights, down, self.d_ff, inner, onto, y),
            None => on.linear(weights, down, self.d_ff, inner, y, Write::Add),
        }
    }

    /// The input of the last map, from what the one before it put out.
    fn activate<B: Backend>(
        &self,
        on: &B,
        a: &MlpActivations<B>,
        inner: &mut B::Values,
    ) -> Result<(), ModelError> {
        match self.kind {
            Mlp::SwiGlu => on.swiglu(&a.hidden, self.d_ff, inner),
            Mlp::Gelu(kind) => on.gelu(&a.hidden, inner, kind),
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
        let (on, MlpAt { up, down }) = (weights.on, &self.at);
        self.activate(on, a, inner)?;
        let back = LinearBack { at: down, d_in: self.d_ff, x: inner, dy };
        on.linear_backward(weights, back, &mut s.inner, Write::Overwrite, gradient)?;
        match self.kind {
            Mlp::SwiGlu => on.swiglu_backward(&a.hidden, self.d_ff, &s.inner, &mut s.hidden)?,
            Mlp::Gelu(kind) => on.gelu_backward(&a.hidden, &s.inner, &mut s.hidden, kind)?,
        }
        let back = LinearBack { at: up, d_in: self.d_model, x, dy: &s.hidden };
        on.linear_backward(weights, back, dx, Write::Overwrite, gradient)
    }
}

/// What the way back through an MLP starts from.
pub(crate) struct MlpBackward<'a, B: Backend> {
    pub(crate) weights: Weights<'a, B>,
    pub(crate) x: &'a B::Values,
    pub(crate) activations: &'a MlpActivations<B>,
    pub(crate) dy: &'a B::Values,
}
