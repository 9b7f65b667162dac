//! Gaussian error linear units on the CPU

use super::Gelu;
use crate::simd::{Loop, MulAdd, exp, sigmoid, vectorized};
use crate::tasks::TASK_LEN;
use rayon::prelude::*;

pub(super) fn gelu(x: &[f32], y: &mut [f32], kind: Gelu) {
    y.par_chunks_mut(TASK_LEN).zip(x.par_chunks(TASK_LEN)).for_each(|(y, x)| match kind {
        Gelu::Exact => vectorized(Exact { x, y }),
        Gelu::Tanh => vectorized(Tanh { x, y }),
    });
}

/// `x Φ(x)`
struct Exact<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Loop for Exact<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { x, y } = self;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * normal_cdf::<M>(x);
        }
    }
}

/// `x σ(2 u)`
struct Tanh<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Loop for Tanh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { x, y } = self;
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * sigmoid::<M>(tanh_argument::<M>(x));
        }
    }
}

pub(super) fn gelu_backward(x: &[f32], dy: &[f32], dx: &mut [f32], kind: Gelu) {
    let tasks = dx.par_chunks_mut(TASK_LEN).zip(x.par_chunks(TASK_LEN)).zip(dy.par_chunks(TASK_LEN));
    tasks.for_each(|((dx, x), dy)| match kind {
        Gelu::Exact => vectorized(ExactBackward { x, dy, dx }),
        Gelu::Tanh => vectorized(TanhBackward { x, dy, dx }),
    });
}

/// `dy (Φ(x) + x φ(x))`
struct ExactBackward<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Loop for ExactBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { x, dy, dx } = self;
        const INV_SQRT_2_PI: f32 = 0.398_942_3;
        for ((dx, &x), dy) in dx.iter_mut().zip(x).zip(dy) {
            *dx = dy * M::mul_add(x * INV_SQRT_2_PI, exp::<M>(-0.5 * x * x), normal_cdf::<M>(x));
        }
    }
}

/// `dy (σ + x σ (1 - σ) 2 u')`, with σ at `2 u`
struct TanhBackward<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Loop for TanhBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { x, dy, dx } = self;
        for ((dx, &x), dy) in dx.iter_mut().zip(x).zip(dy) {
            let sigma = sigmoid::<M>(tanh_argument::<M>(x));
            let slope = TWO_SQRT_2_OVER_PI * M::mul_add(3.0 * CUBIC * x, x, 1.0);
            *dx = dy * (sigma + x * sigma * (1.0 - sigma) * slope);
        }
    }
}

const TWO_SQRT_2_OVER_PI: f32 = 1.595_769;
const CUBIC: f32 = 0.044_715;

/// `2 u`, where the tanh form is `x (1 + tanh u) / 2`, which is `x σ(2 u)` without the cancellation
#[inline(always)]
fn tanh_argument<M: MulAdd>(x: f32) -> f32 {
    TWO_SQRT_2_OVER_PI * M::mul_add(CUBIC * x * x, x, x)
}

/// `Φ(x) = erfc(-x / √2) / 2`, to a few units in the last place on either side
///
/// `1 + erf` would cancel on the negative side and leave values of 1e-7 that GELU multiplies by `x`.
#[inline(always)]
fn normal_cdf<M: MulAdd>(x: f32) -> f32 {
    let tail = 0.5 * erfc::<M>(x.abs() * std::f32::consts::FRAC_1_SQRT_2);
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// The complementary error function of `z >= 0`: the Chebyshev fit of Numerical Recipes (`erfcc`), whose relative error
/// is below 1.2e-7 before rounding
#[inline(always)]
fn erfc<M: MulAdd>(z: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.5 * z);
    let mut p = 0.170_872_77;
    p = M::mul_add(p, t, -0.822_152_2);
    p = M::mul_add(p, t, 1.488_515_9);
    p = M::mul_add(p, t, -1.135_204);
    p = M::mul_add(p, t, 0.278_868_07);
    p = M::mul_add(p, t, -0.186_288_06);
    p = M::mul_add(p, t, 0.096_784_18);
    p = M::mul_add(p, t, 0.374_091_96);
    p = M::mul_add(p, t, 1.000_023_7);
    t * exp::<M>(M::mul_add(p, t, M::mul_add(-z, z, -1.265_512_2)))
}
