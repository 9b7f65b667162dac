//! The AdamW optimizer (arXiv 1711.05101)

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

/// One step's settings
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// step size of this step
    pub learning_rate: f32,
    /// decay of the first moment
    pub beta1: f32,
    /// decay of the second moment
    pub beta2: f32,
    /// added to the root of the second moment
    pub eps: f32,
    /// share of a parameter, times the learning rate, that a step takes away
    pub weight_decay: f32,
    /// multiplies every gradient first: a mean and a clip that need no pass of their own
    pub gradient_factor: f32,
    /// number of this step; the first is 1
    pub step: u64,
}

/// Parameters and moments after one step, in place
///
/// As `torch.optim.AdamW`, value by value, with `t` the step:
///
/// ```text
/// g *= gradient_factor
/// p *= 1 - lr weight_decay
/// m = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g²
/// p -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)
/// ```
///
/// All four slices are of one length; moments start at 0.
///
/// # Panics
/// Where lengths differ or `step` is 0.
///
/// # Examples
/// ```
/// use sepo_kernels::{AdamWStep, adamw};
///
/// let step = AdamWStep {
///     learning_rate: 0.5, beta1: 0.9, beta2: 0.99, eps: 0.0, weight_decay: 0.0, gradient_factor: 1.0, step: 1,
/// };
/// let (mut params, mut m, mut v) = ([1.0], [0.0], [0.0]);
/// adamw(&mut params, &[3.0], &mut m, &mut v, &step);
/// assert!((params[0] - 0.5).abs() < 1e-6); // the first step has the size of the learning rate
/// ```
pub fn adamw(params: &mut [f32], grads: &[f32], m: &mut [f32], v: &mut [f32], step: &AdamWStep) {
    let n = params.len();
    assert_eq!((grads.len(), m.len(), v.len()), (n, n, n), "gradients and moments must match {n} parameters");
    assert!(step.step > 0, "the first step is 1");
    cpu::adamw(params, grads, m, v, step);
}
