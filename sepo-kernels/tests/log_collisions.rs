//! Collision probabilities against all logits in `f64`

mod naive;

use naive::{cases, values, wide};
use proptest::prelude::*;
use sepo_kernels::{HeadStates, Precision, log_collisions};

fn slow(hidden: &[f32], lm_head: &[f32], d_model: usize) -> Vec<f64> {
    let (hidden, lm_head) = (wide(hidden), wide(lm_head));
    let of = |h: &[f64]| {
        let logits: Vec<f64> =
            lm_head.chunks(d_model).map(|w| h.iter().zip(w).map(|(h, w)| h * w).sum()).collect();
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = logits.iter().map(|logit| (logit - max).exp()).sum();
        logits.iter().map(|logit| ((logit - max).exp() / total).powi(2)).sum::<f64>().ln()
    };
    hidden.chunks(d_model).map(of).collect()
}

fn compare((n_hidden, d_model, vocab): (usize, usize, usize), seed: u64, scale: f32) {
    let (hidden, lm_head) = (values(seed, n_hidden * d_model, 1.0), values(seed + 1, vocab * d_model, scale));
    let model = HeadStates { hidden: &hidden, lm_head: &lm_head, d_model };
    let found = log_collisions(model, Precision::default());
    let expected = slow(&hidden, &lm_head, d_model);
    assert_eq!(found.len(), n_hidden);
    let bound = 1e-6 * f64::from(scale).max(1.0) * d_model as f64;
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < bound, "row {row}: {found}, expected {expected}");
        assert!(*found <= 1e-12);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn are_those_of_whole_distributions(
        shape in (0_usize..7, 1_usize..9, 1_usize..40), seed: u32, scale in 0.1_f32..20.0,
    ) {
        compare(shape, u64::from(seed), scale);
    }
}

#[test]
fn more_rows_and_tokens_than_a_tile_are_all_counted() {
    compare((1030, 3, 1100), 7, 2.0);
}

#[test]
fn a_certain_token_always_collides_and_equal_ones_by_their_number() {
    let of = |lm_head| {
        let model = HeadStates { hidden: &[1.0], lm_head, d_model: 1 };
        log_collisions(model, Precision::default())[0]
    };
    assert_eq!(of(&[500.0, 0.0, -3.0]), 0.0);
    assert!((of(&[2.0; 8]) - (1.0_f64 / 8.0).ln()).abs() < 1e-7);
}
