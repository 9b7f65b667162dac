//! The two types of activations, and how far their results may be off

use sepo_kernels::cuda::{Bf16, Float};

/// A type of activations
pub(crate) trait Rounded: Float {
    /// Half the distance of neighbouring numbers, relative to them
    const EPSILON: f64;

    fn of(x: f32) -> Self;
    fn to_f32(self) -> f32;
}

impl Rounded for f32 {
    const EPSILON: f64 = 5.97e-8;

    fn of(x: f32) -> Self {
        x
    }

    fn to_f32(self) -> f32 {
        self
    }
}

impl Rounded for Bf16 {
    const EPSILON: f64 = 3.91e-3;

    fn of(x: f32) -> Self {
        Self::from_f32(x)
    }

    fn to_f32(self) -> f32 {
        self.to_f32()
    }
}

/// `n` values in `-scale..scale`, rounded to `T`
pub(crate) fn values<T: Rounded>(seed: u64, n: usize, scale: f32) -> Vec<T> {
    crate::naive::values(seed, n, scale).into_iter().map(T::of).collect()
}

/// The same numbers as `f32`
pub(crate) fn floats<T: Rounded>(x: &[T]) -> Vec<f32> {
    x.iter().map(|x| x.to_f32()).collect()
}

/// Asserts that every value is the expected one but for rounding: once to `T`, and `slack` relative to the largest
#[track_caller]
pub(crate) fn assert_rounded<T: Rounded>(actual: &[T], expected: &[f32], slack: f64) {
    assert_eq!(actual.len(), expected.len());
    let scale = expected.iter().fold(1.0_f64, |scale, &x| scale.max(f64::from(x.abs())));
    for (i, (actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let (actual, expected) = (f64::from(actual.to_f32()), f64::from(expected));
        let bound = T::EPSILON * expected.abs() + slack * scale;
        assert!(
            (actual - expected).abs() <= bound,
            "value {i} is {actual}, expected {expected} within {bound}"
        );
    }
}
