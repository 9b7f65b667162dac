//! Slow and obvious `f64` forms of the operations, seeded inputs, and comparisons

#![expect(dead_code, reason = "every test file uses a part of this module")]

pub(crate) mod attention;
pub(crate) mod divergences;
pub(crate) mod head;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_kernels::Segments;

/// `n` values in `-scale..scale`
pub(crate) fn values(seed: u64, n: usize, scale: f32) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| (2.0 * rng.random::<f32>() - 1.0) * scale).collect()
}

/// The same numbers in `f64`
pub(crate) fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// Asserts that every value is within `tolerance` of the expected one, relative to the largest expected, but at least to 1
#[track_caller]
pub(crate) fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    let scale = expected.iter().fold(1.0_f64, |scale, x| scale.max(x.abs()));
    for (i, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(actual) - expected).abs();
        assert!(error <= tolerance * scale, "value {i} is {actual}, expected {expected} (scale {scale})");
    }
}

/// Asserts that every value is as close as rounding allows: relative to the terms that it sums, which may cancel, but at
/// least to 1
#[track_caller]
pub(crate) fn assert_close_by_terms(actual: &[f32], expected: &[f64], terms: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (i, ((&actual, expected), terms)) in actual.iter().zip(expected).zip(terms).enumerate() {
        let error = (f64::from(actual) - expected).abs();
        assert!(error <= tolerance * terms.max(1.0), "value {i} is {actual}, expected {expected} ({terms})");
    }
}

/// The central difference of `f` for every value of `x`
pub(crate) fn finite_differences(x: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let step = 1e-5;
    let mut x = x.to_vec();
    (0..x.len())
        .map(|i| {
            let center = x[i];
            x[i] = center + step;
            let above = f(&x);
            x[i] = center - step;
            let below = f(&x);
            x[i] = center;
            (above - below) / (2.0 * step)
        })
        .collect()
}

/// A property's configuration: `n` cases, and no files left behind
pub(crate) fn cases(n: u32) -> ProptestConfig {
    ProptestConfig { cases: n, failure_persistence: None, ..ProptestConfig::default() }
}

/// The inner product
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Layouts of a few segments: roots, children and chains, empty and one-token segments among them
pub(crate) fn layouts(max_len: usize) -> impl Strategy<Value = Segments> {
    let len = prop_oneof![Just(0), Just(1), 0..=max_len];
    prop::collection::vec((len, any::<u32>()), 0..7).prop_map(|segments| {
        let mut offsets = vec![0];
        let mut parents = Vec::new();
        for (i, (len, draw)) in segments.into_iter().enumerate() {
            offsets.push(offsets[i] + len);
            // One in `i + 1` is a root; the others continue an earlier segment.
            parents.push((draw as usize % (i + 1)).checked_sub(1));
        }
        Segments::new(offsets, parents).expect("parents come first")
    })
}
