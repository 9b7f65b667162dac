//! The fused head with divergences against all logits in `f64`

#![expect(clippy::cast_possible_truncation, reason = "test inputs are small")]

mod naive;

use naive::divergences::Model;
use naive::{assert_close_by_terms, cases, values, wide};
use proptest::prelude::*;
use sepo_kernels::{
    DivergenceScratch, GatheredDivergences, HeadScratch, HeadShape, HeadStates, RowGradients, Rows,
    gather_divergences, gather_divergences_backward, gather_logps,
};

/// Hidden rows and head of one model
struct Inputs {
    hidden: Vec<f32>,
    lm_head: Vec<f32>,
    d_model: usize,
}

impl Inputs {
    fn new(seed: u64, (n_hidden, d_model, vocab): (usize, usize, usize), scale: f32) -> Self {
        Self {
            hidden: values(seed, n_hidden * d_model, 1.0),
            lm_head: values(seed + 1, vocab * d_model, scale),
            d_model,
        }
    }

    fn states(&self) -> HeadStates<'_> {
        HeadStates { hidden: &self.hidden, lm_head: &self.lm_head, d_model: self.d_model }
    }

    fn wide(&self) -> Model {
        Model { hidden: wide(&self.hidden), lm_head: wide(&self.lm_head), d_model: self.d_model }
    }
}

fn backward(
    policy: HeadStates<'_>,
    others: &[HeadStates<'_>],
    rows: &Rows,
    gathered: &GatheredDivergences,
    d: RowGradients<'_>,
) -> (Vec<f32>, Vec<f32>) {
    let (mut dhidden, mut dlm_head) = (vec![f32::NAN; policy.hidden.len()], vec![0.0; policy.lm_head.len()]);
    let scratch = &mut DivergenceScratch::default();
    gather_divergences_backward(policy, others, rows, gathered, d, &mut dhidden, &mut dlm_head, scratch);
    (dhidden, dlm_head)
}

/// Compares both directions with the slow form
fn compare(rows: &Rows, policy: &Inputs, others: &[Inputs], seed: u64, scale: f32) {
    let d: Vec<Vec<f64>> = (0..3).map(|i| wide(&values(seed + 90 + i, rows.len(), 1.0))).collect();
    let states: Vec<HeadStates<'_>> = others.iter().map(Inputs::states).collect();
    let wide_others: Vec<Model> = others.iter().map(Inputs::wide).collect();
    let gathered = gather_divergences(policy.states(), &states, rows, &mut DivergenceScratch::default());
    let expected = naive::divergences::forward(&policy.wide(), &wide_others, rows);
    let width: usize = others.iter().map(|other| other.d_model).sum::<usize>() + policy.d_model;
    let logit_size = f64::from(scale).max(1.0) * width as f64;
    let compared = [
        ("logp", &gathered.logps, &expected.logps),
        ("forward KL", &gathered.forward_kl, &expected.forward_kl),
        ("reverse KL", &gathered.reverse_kl, &expected.reverse_kl),
    ];
    for (name, actual, expected) in compared {
        for (row, (actual, expected)) in actual.iter().zip(expected).enumerate() {
            let bound = 6e-7 * logit_size;
            assert!(
                (actual - expected).abs() < bound,
                "{name} of row {row} is {actual}, expected {expected}"
            );
        }
    }
    let gradients = RowGradients { logps: &d[0], forward_kl: &d[1], reverse_kl: &d[2] };
    let actual = backward(policy.states(), &states, rows, &gathered, gradients);
    let expected = naive::divergences::backward(&policy.wide(), &wide_others, rows, [&d[0], &d[1], &d[2]]);
    assert_close_by_terms(&actual.0, &expected.dhidden, &expected.dhidden_terms, 6e-7 * logit_size);
    assert_close_by_terms(&actual.1, &expected.dlm_head, &expected.dlm_head_terms, 6e-7 * logit_size);
}

fn rows_and_sizes() -> impl Strategy<Value = (Rows, (usize, usize, usize), Vec<usize>)> {
    let sizes = (1_usize..12, 1_usize..20, 1_usize..60, prop::collection::vec(1_usize..20, 0..3));
    sizes.prop_flat_map(|(n_hidden, d_model, vocab, others)| {
        let row = (0..n_hidden as u32, 0..vocab as u32);
        prop::collection::vec(row, 0..30).prop_map(move |mut rows| {
            rows.sort_by_key(|&(hidden_row, _)| hidden_row);
            let (hidden_rows, targets) = rows.into_iter().unzip();
            let rows = Rows::new(hidden_rows, targets, n_hidden, vocab).expect("in range");
            (rows, (n_hidden, d_model, vocab), others.clone())
        })
    })
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn agrees_with_all_logits(
        (rows, size, others) in rows_and_sizes(),
        seed in 0_u64..1000,
        scale in prop_oneof![Just(1.0_f32), Just(15.0)],
    ) {
        let policy = Inputs::new(seed, size, scale);
        let others: Vec<Inputs> = (0..)
            .zip(others)
            .map(|(i, d_model)| Inputs::new(seed + 7 + 2 * i, (size.0, d_model, size.2), scale))
            .collect();
        compare(&rows, &policy, &others, seed, scale);
    }

    #[test]
    fn a_model_has_no_divergence_from_itself((rows, size, _) in rows_and_sizes(), seed in 0_u64..1000) {
        let policy = Inputs::new(seed, size, 3.0);
        let states = policy.states();
        let gathered = gather_divergences(states, &[states], &rows, &mut DivergenceScratch::default());
        prop_assert!(gathered.forward_kl.iter().chain(&gathered.reverse_kl).all(|kl| kl.abs() < 1e-12));
        // Nor does it pull anywhere: both gradients vanish there.
        let (zeros, ones) = (vec![0.0; rows.len()], vec![1.0; rows.len()]);
        let d = RowGradients { logps: &zeros, forward_kl: &ones, reverse_kl: &ones };
        let (dhidden, dlm_head) = backward(states, &[states], &rows, &gathered, d);
        prop_assert!(dhidden.iter().chain(&dlm_head).all(|x| x.abs() < 1e-4));
    }
}

#[test]
fn agrees_with_all_logits_across_tiles() {
    let (n_hidden, vocab) = (1100, 2503);
    let hidden_rows: Vec<u32> =
        (0..1100).flat_map(|h| if h % 7 == 0 { vec![h, h] } else { vec![h] }).collect();
    let targets = (0..hidden_rows.len()).map(|row| (row * 1023 % vocab) as u32).collect();
    let rows = Rows::new(hidden_rows, targets, n_hidden, vocab).expect("in range");
    let (policy, other) =
        (Inputs::new(1, (n_hidden, 3, vocab), 2.0), Inputs::new(5, (n_hidden, 2, vocab), 2.0));
    compare(&rows, &policy, &[other], 9, 2.0);
}

#[test]
fn log_probabilities_are_those_of_the_plain_head() {
    let rows = Rows::new(vec![0, 0, 2], vec![3, 1, 1], 3, 50).expect("in range");
    let (policy, other) = (Inputs::new(1, (3, 8, 50), 2.0), Inputs::new(5, (3, 4, 50), 2.0));
    let scratch = &mut DivergenceScratch::default();
    let gathered = gather_divergences(policy.states(), &[other.states()], &rows, scratch);
    let shape = HeadShape { n_hidden: 3, d_model: 8, vocab: 50 };
    let plain = gather_logps(&policy.hidden, &policy.lm_head, &rows, shape, &mut HeadScratch::default());
    for (actual, expected) in gathered.logps.iter().zip(&plain.logps) {
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }
}

#[test]
fn the_slow_gradient_agrees_with_finite_differences() {
    let rows = Rows::new(vec![0, 0, 1], vec![3, 1, 1], 2, 4).expect("in range");
    let d = [[0.5, -2.0, 1.5], [1.0, 0.25, -0.5], [-1.5, 0.75, 2.0]];
    let (policy, other) = (Inputs::new(1, (2, 3, 4), 1.0).wide(), Inputs::new(5, (2, 2, 4), 1.0).wide());
    let others = [other];
    let loss = |x: &[f64]| {
        let policy = Model { hidden: x[..6].to_vec(), lm_head: x[6..].to_vec(), d_model: 3 };
        let values = naive::divergences::forward(&policy, &others, &rows);
        let sums = [&values.logps, &values.forward_kl, &values.reverse_kl];
        sums.iter().zip(&d).map(|(values, d)| naive::dot(values, d)).sum()
    };
    let inputs = [&policy.hidden[..], &policy.lm_head].concat();
    let expected = naive::finite_differences(&inputs, loss);
    let actual = naive::divergences::backward(&policy, &others, &rows, [&d[0], &d[1], &d[2]]);
    for (actual, expected) in [actual.dhidden, actual.dlm_head].concat().iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-8, "{actual} is not {expected}");
    }
}

#[test]
fn the_gradient_of_the_logits_sums_to_zero() {
    // With one value a hidden row and a head of ones, the gradient of the hidden row is the sum over the logits.
    let rows = Rows::new(vec![0, 1], vec![3, 1], 2, 5).expect("in range");
    let policy = Inputs { hidden: vec![0.3, -2.0], lm_head: vec![1.0; 5], d_model: 1 };
    let other = Inputs::new(5, (2, 2, 5), 2.0);
    let scratch = &mut DivergenceScratch::default();
    let gathered = gather_divergences(policy.states(), &[other.states()], &rows, scratch);
    let d = RowGradients { logps: &[1.0, -2.0], forward_kl: &[0.5, 3.0], reverse_kl: &[-1.0, 2.0] };
    let (dhidden, _) = backward(policy.states(), &[other.states()], &rows, &gathered, d);
    assert!(dhidden.iter().all(|d| d.abs() < 2e-6), "{dhidden:?}");
}

#[test]
fn tokens_that_one_side_rules_out_have_an_infinite_divergence_on_the_other() {
    let rows = Rows::new(vec![0], vec![0], 1, 2).expect("in range");
    let ruled_out = HeadStates { hidden: &[1.0], lm_head: &[0.0, f32::NEG_INFINITY], d_model: 1 };
    let even = HeadStates { hidden: &[1.0], lm_head: &[0.0, 0.0], d_model: 1 };
    let scratch = &mut DivergenceScratch::default();
    let gathered = gather_divergences(ruled_out, &[even], &rows, scratch);
    assert_eq!(gathered.forward_kl, [f64::INFINITY]);
    assert!((gathered.reverse_kl[0] - 2.0_f64.ln()).abs() < 1e-12);
    // The finite one has a gradient, whatever the other is.
    let d = RowGradients { logps: &[0.0], forward_kl: &[0.0], reverse_kl: &[1.0] };
    let (_, dlm_head) = backward(ruled_out, &[even], &rows, &gathered, d);
    assert_eq!(dlm_head, [0.0, 0.0]);
}

#[test]
fn rows_without_gradient_touch_nothing() {
    let policy = HeadStates { hidden: &[1.0, f32::INFINITY, 2.0], lm_head: &[1.0, -1.0], d_model: 1 };
    let other = HeadStates { hidden: &[1.0, 1.0, 1.0], lm_head: &[0.5, -0.5], d_model: 1 };
    let rows = Rows::new(vec![0, 1, 2], vec![0, 0, 1], 3, 2).expect("in range");
    let gathered = gather_divergences(policy, &[other], &rows, &mut DivergenceScratch::default());
    assert!(gathered.logps[1].is_nan());
    let d = RowGradients { logps: &[1.0, 0.0, 0.0], forward_kl: &[0.0, 0.0, 1.0], reverse_kl: &[0.0; 3] };
    let (dhidden, dlm_head) = backward(policy, &[other], &rows, &gathered, d);
    assert_eq!(dhidden[1], 0.0);
    assert!(dhidden.iter().chain(&dlm_head).all(|x| x.is_finite()));
}
