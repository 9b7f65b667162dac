//! AdamW on the CPU: one pass over memory

use super::AdamWStep;
use crate::simd::{Loop, MulAdd, vectorized};
use crate::tasks::TASK_LEN;
use rayon::prelude::*;

pub(super) fn adamw(params: &mut [f32], grads: &[f32], m: &mut [f32], v: &mut [f32], step: &AdamWStep) {
    let factors = Factors::new(step);
    let moments = m.par_chunks_mut(TASK_LEN).zip(v.par_chunks_mut(TASK_LEN));
    let tasks = params.par_chunks_mut(TASK_LEN).zip(grads.par_chunks(TASK_LEN)).zip(moments);
    tasks.for_each(|((params, grads), (m, v))| vectorized(Update { params, grads, m, v, factors }));
}

/// What a step's settings come to for a value
#[derive(Clone, Copy)]
pub(super) struct Factors {
    pub(super) keep: f32,
    pub(super) beta1: f32,
    pub(super) beta2: f32,
    pub(super) step_size: f32,
    pub(super) inv_root_correction2: f32,
    pub(super) eps: f32,
    gradient: f32,
}

impl Factors {
    /// In f64: `1 - beta2^t` loses most digits of an f32 in the first steps
    #[expect(clippy::cast_possible_truncation, reason = "the update is in f32")]
    pub(super) fn new(step: &AdamWStep) -> Self {
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(step.step as f64);
        let learning_rate = f64::from(step.learning_rate);
        Self {
            keep: (1.0 - learning_rate * f64::from(step.weight_decay)) as f32,
            beta1: step.beta1,
            beta2: step.beta2,
            step_size: (learning_rate / correction(step.beta1)) as f32,
            inv_root_correction2: (1.0 / correction(step.beta2).sqrt()) as f32,
            eps: step.eps,
            gradient: step.gradient_factor,
        }
    }
}

/// One task's piece of every slice
struct Update<'a> {
    params: &'a mut [f32],
    grads: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    factors: Factors,
}

impl Loop for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { params, grads, m, v, factors } = self;
        let Factors { keep, beta1, beta2, step_size, inv_root_correction2, eps, gradient } = factors;
        for (((p, &g), m), v) in params.iter_mut().zip(grads).zip(m).zip(v) {
            let g = g * gradient;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *p = *p * keep - step_size * *m / (v.sqrt() * inv_root_correction2 + eps);
        }
    }
}
