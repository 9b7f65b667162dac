//! Distances of distributions against all logits in `f64`

mod naive;

use naive::{cases, values, wide};
use proptest::prelude::*;
use sepo_kernels::{HeadStates, Precision, distribution_distances};

/// `softmax(hidden lm_headᵀ)` of every hidden row
fn distributions(hidden: &[f32], lm_head: &[f32], d_model: usize) -> Vec<Vec<f64>> {
    let (hidden, lm_head) = (wide(hidden), wide(lm_head));
    let of = |h: &[f64]| {
        let logits: Vec<f64> =
            lm_head.chunks(d_model).map(|w| h.iter().zip(w).map(|(h, w)| h * w).sum()).collect();
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logits.iter().map(|logit| (logit - max).exp()).sum();
        logits.into_iter().map(|logit| (logit - max).exp() / total).collect()
    };
    hidden.chunks(d_model).map(of).collect()
}

fn compare(n_hidden: usize, (d_one, d_other): (usize, usize), vocab: usize, seed: u64, scale: f32) {
    let [one, other] = [(d_one, 0), (d_other, 10)].map(|(d, offset)| {
        (values(seed + offset, n_hidden * d, 1.0), values(seed + offset + 1, vocab * d, scale), d)
    });
    let states = |(hidden, lm_head, d_model)| HeadStates { hidden, lm_head, d_model };
    let found = distribution_distances(
        states((&one.0[..], &one.1[..], one.2)),
        states((&other.0[..], &other.1[..], other.2)),
        Precision::default(),
    );
    let [p, q] = [&one, &other].map(|(hidden, lm_head, d)| distributions(hidden, lm_head, *d));
    assert_eq!(found.len(), n_hidden);
    for (row, found) in found.into_iter().enumerate() {
        let expected: f64 = p[row].iter().zip(&q[row]).map(|(p, q)| (p - q).abs()).sum();
        // Rounding of a logit, of the products it sums, moves every probability by as much of itself.
        let bound = 6e-7 * f64::from(scale).max(1.0) * (d_one + d_other) as f64;
        assert!((found - expected).abs() < bound, "row {row}: {found}, expected {expected}");
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn are_those_of_whole_distributions(
        n_hidden in 0_usize..7, d in (1_usize..9, 1_usize..9), vocab in 1_usize..40, seed: u32, scale in 0.1_f32..20.0,
    ) {
        compare(n_hidden, d, vocab, u64::from(seed), scale);
    }
}

#[test]
fn more_rows_and_tokens_than_a_tile_are_all_counted() {
    compare(1030, (3, 5), 1100, 7, 2.0);
}

#[test]
fn equal_models_have_no_distance_and_certain_ones_that_disagree_have_2() {
    let states = |hidden| HeadStates { hidden, lm_head: &[100.0, 0.0], d_model: 1 };
    assert_eq!(distribution_distances(states(&[0.3]), states(&[0.3]), Precision::default()), [0.0]);
    assert_eq!(distribution_distances(states(&[3.0]), states(&[-3.0]), Precision::default()), [2.0]);
}
