//! On what weights are trained: what of a run lies there from step to step, and the step that changes it.
//!
//! A [`Backend`] runs a network; this adds weights that change. A run is written once for any, in `run.rs`.

mod cpu;
mod cuda;

use std::borrow::Cow;
use std::fmt::Debug;
use std::ops::Range;

use sepo_kernels::AdamWStep;
use sepo_model::{Backend, ModelError, Parameters};

/// One step of the optimizer, for the gradient of a sum.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// Units of the sum: the gradient is divided by them.
    pub n_units: f64,
    /// Longest gradient of the mean; a longer one is shortened to it.
    pub max_norm: Option<f64>,
    /// The step of each part of the flat buffer; their factors of the gradient are not looked at.
    pub steps: &'a [(Range<usize>, AdamWStep)],
}

/// A kind of machine on which weights are trained: [`Cpu`](sepo_model::Cpu), or [`Cuda`](sepo_model::Cuda).
///
/// # Errors
///
/// Operations fail where the machine does, as those of [`Backend`].
#[expect(clippy::missing_errors_doc, reason = "said once, above")]
pub trait TrainBackend: Backend {
    /// Weights that change from step to step.
    type Trained<'m>: Debug;

    /// A model's weights, to be trained. Those given are only up to date again when [`settle`](Self::settle) has run.
    fn trained<'m>(&self, parameters: &'m mut Parameters) -> Result<Self::Trained<'m>, ModelError>;

    /// What a network reads.
    fn parameters<'t>(trained: &'t Self::Trained<'_>) -> &'t Self::Parameters;

    /// The weights given to [`trained`](Self::trained), as they have become.
    fn settle<'t>(&self, trained: &'t mut Self::Trained<'_>) -> Result<&'t Parameters, ModelError>;

    /// Numbers of the CPU.
    fn to_singles(&self, values: Vec<f32>) -> Result<Self::Singles, ModelError>;

    /// Numbers for the CPU.
    fn to_values<'s>(&self, singles: &'s Self::Singles) -> Result<Cow<'s, [f32]>, ModelError>;

    /// Euclidean norm of a gradient.
    fn gradient_norm(&self, gradient: &Self::Gradient) -> Result<f64, ModelError>;

    /// One step of AdamW; the norm of the mean's gradient, before it is shortened. Where that is not finite, nothing is
    /// changed.
    fn update(
        &self,
        trained: &mut Self::Trained<'_>,
        moments: [&mut Self::Singles; 2],
        gradient: &Self::Gradient,
        update: Update<'_>,
    ) -> Result<f64, ModelError>;
}
