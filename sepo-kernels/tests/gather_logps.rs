//! The fused head against all logits in `f64`

#![expect(clippy::cast_possible_truncation, reason = "test inputs are small")]

mod naive;

use naive::head::Gradients;
use naive::{assert_close_by_terms, cases, values, wide};
use proptest::prelude::*;
use sepo_kernels::{
    GatheredLogps, HeadScratch, HeadShape, KernelError, Rows, gather_logps, gather_logps_backward,
};

fn backward(
    (hidden, lm_head): (&[f32], &[f32]),
    rows: &Rows,
    gathered: &GatheredLogps,
    dlogps: &[f64],
    shape: HeadShape,
    scratch: &mut HeadScratch,
) -> (Vec<f32>, Vec<f32>) {
    let (mut dhidden, mut dlm_head) = (vec![f32::NAN; hidden.len()], vec![0.0; lm_head.len()]);
    gather_logps_backward(
        hidden,
        lm_head,
        rows,
        gathered,
        dlogps,
        &mut dhidden,
        &mut dlm_head,
        shape,
        scratch,
    );
    (dhidden, dlm_head)
}

fn compare(rows: &Rows, shape: HeadShape, seed: u64, scale: f32) {
    let hidden = values(seed, shape.n_hidden * shape.d_model, 1.0);
    let lm_head = values(seed + 1, shape.vocab * shape.d_model, scale);
    let dlogps = wide(&values(seed + 2, rows.len(), 1.0));
    let mut scratch = HeadScratch::default();
    let gathered = gather_logps(&hidden, &lm_head, rows, shape, &mut scratch);
    let expected = naive::head::forward(&wide(&hidden), &wide(&lm_head), rows, shape);
    let logit_size = f64::from(scale).max(1.0) * shape.d_model as f64;
    for (row, (actual, expected)) in gathered.logps.iter().zip(&expected).enumerate() {
        assert!((actual - expected).abs() < 3e-7 * logit_size, "row {row} is {actual}, expected {expected}");
    }
    let actual = backward((&hidden, &lm_head), rows, &gathered, &dlogps, shape, &mut scratch);
    let expected = naive::head::backward(&wide(&hidden), &wide(&lm_head), rows, &dlogps, shape);
    assert_close_by_terms(&actual.0, &expected.dhidden, &expected.dhidden_terms, 3e-7 * logit_size);
    assert_close_by_terms(&actual.1, &expected.dlm_head, &expected.dlm_head_terms, 3e-7 * logit_size);
    // Kept logits are those that would be computed again: not a bit differs, however many are kept.
    for max_kept in [shape.vocab, 1025 * shape.vocab, usize::MAX / 8] {
        let mut scratch = HeadScratch::keeping(max_kept);
        // Another pass before, with more rows, leaves its logits in the buffers.
        let _ = gather_logps(&hidden, &lm_head, rows, shape, &mut scratch);
        let kept = gather_logps(&hidden, &lm_head, rows, shape, &mut scratch);
        assert_eq!((&kept.logps, bits(&kept.lse)), (&gathered.logps, bits(&gathered.lse)));
        let once = backward((&hidden, &lm_head), rows, &kept, &dlogps, shape, &mut scratch);
        let again = backward((&hidden, &lm_head), rows, &kept, &dlogps, shape, &mut scratch);
        assert!(once == actual && again == actual, "{max_kept} logits kept");
    }
}

/// For values of which some are not numbers
fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn rows_and_shape() -> impl Strategy<Value = (Rows, HeadShape)> {
    (1_usize..12, 1_usize..20, 1_usize..60).prop_flat_map(|(n_hidden, d_model, vocab)| {
        let row = (0..u32::try_from(n_hidden).expect("small"), 0..u32::try_from(vocab).expect("small"));
        prop::collection::vec(row, 0..30).prop_map(move |mut rows| {
            rows.sort_by_key(|&(hidden_row, _)| hidden_row);
            let (hidden_rows, targets) = rows.into_iter().unzip();
            let rows = Rows::new(hidden_rows, targets, n_hidden, vocab).expect("in range");
            (rows, HeadShape { n_hidden, d_model, vocab })
        })
    })
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn agrees_with_all_logits((rows, shape) in rows_and_shape(), seed in 0_u64..1000) {
        compare(&rows, shape, seed, 1.0);
    }

    #[test]
    fn agrees_with_all_logits_where_they_are_large((rows, shape) in rows_and_shape(), seed in 0_u64..1000) {
        compare(&rows, shape, seed, 40.0);
    }
}

#[test]
fn agrees_with_all_logits_across_tiles() {
    let (n_hidden, vocab) = (1100, 2503);
    let hidden_rows: Vec<u32> =
        (0..1100).flat_map(|h| if h % 7 == 0 { vec![h, h] } else { vec![h] }).collect();
    let targets = (0..hidden_rows.len()).map(|row| (row * 1023 % vocab) as u32).collect();
    let rows = Rows::new(hidden_rows, targets, n_hidden, vocab).expect("in range");
    compare(&rows, HeadShape { n_hidden, d_model: 3, vocab }, 5, 2.0);
}

#[test]
fn outlier_logits_leave_exact_log_probabilities() {
    let shape = HeadShape { n_hidden: 1, d_model: 1, vocab: 3 };
    let rows = Rows::new(vec![0; 3], vec![0, 1, 2], 1, 3).expect("in range");
    let logps = gather_logps(&[1.0], &[80.0, -80.0, 0.0], &rows, shape, &mut HeadScratch::default()).logps;
    assert_eq!(logps, [0.0, -160.0, -80.0]);
}

#[test]
fn agrees_with_finite_differences() {
    let shape = HeadShape { n_hidden: 2, d_model: 3, vocab: 4 };
    let rows = Rows::new(vec![0, 0, 1], vec![3, 1, 1], 2, 4).expect("in range");
    let dlogps = [0.5, -2.0, 1.5];
    let inputs = wide(&values(1, 6 + 12, 1.0));
    let loss = |x: &[f64]| naive::dot(&naive::head::forward(&x[..6], &x[6..], &rows, shape), &dlogps);
    let Gradients { dhidden, dlm_head, .. } =
        naive::head::backward(&inputs[..6], &inputs[6..], &rows, &dlogps, shape);
    let expected = naive::finite_differences(&inputs, loss);
    for (actual, expected) in [dhidden, dlm_head].concat().iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-8, "{actual} is not {expected}");
    }
}

#[test]
fn rows_without_gradient_touch_nothing() {
    // Hidden row 1 is infinite: had it been read, everything would be spoilt.
    let (hidden, lm_head) = ([1.0, f32::INFINITY, 2.0], [1.0, -1.0]);
    let shape = HeadShape { n_hidden: 3, d_model: 1, vocab: 2 };
    let rows = Rows::new(vec![0, 1, 2], vec![0, 0, 1], 3, 2).expect("in range");
    let gathered = gather_logps(&hidden, &lm_head, &rows, shape, &mut HeadScratch::default());
    assert!(gathered.logps[1].is_nan());
    let (dhidden, dlm_head) = backward(
        (&hidden, &lm_head),
        &rows,
        &gathered,
        &[1.0, 0.0, 1.0],
        shape,
        &mut HeadScratch::keeping(1),
    );
    assert_eq!(dhidden[1], 0.0);
    assert!(dhidden.iter().chain(&dlm_head).all(|x| x.is_finite()));
}

#[test]
fn a_hidden_row_that_no_row_reads_has_no_log_sum_exp() {
    let shape = HeadShape { n_hidden: 2, d_model: 1, vocab: 2 };
    let rows = Rows::new(vec![1], vec![0], 2, 2).expect("in range");
    let gathered = gather_logps(&[0.0; 2], &[0.0; 2], &rows, shape, &mut HeadScratch::default());
    assert!(gathered.lse[0].is_nan());
    assert!((gathered.lse[1] - 2.0_f64.ln()).abs() < 1e-12);
}

#[test]
fn no_rows_give_no_log_probabilities_and_zero_gradients() {
    let shape = HeadShape { n_hidden: 1, d_model: 1, vocab: 2 };
    let rows = Rows::new(vec![], vec![], 1, 2).expect("in range");
    let gathered = gather_logps(&[1.0], &[1.0, 2.0], &rows, shape, &mut HeadScratch::default());
    assert!(gathered.logps.is_empty());
    assert_eq!(
        backward((&[1.0], &[1.0, 2.0]), &rows, &gathered, &[], shape, &mut HeadScratch::keeping(1)),
        (vec![0.0], vec![0.0; 2])
    );
}

#[test]
fn names_the_first_bad_row() {
    let bad = |hidden_rows, targets| Rows::new(hidden_rows, targets, 3, 8).expect_err("a bad row");
    assert_eq!(bad(vec![0, 1], vec![1]), KernelError::RowEntries { n_hidden_rows: 2, n_targets: 1 });
    assert_eq!(
        bad(vec![0, 3], vec![1, 1]),
        KernelError::HiddenRowOutOfRange { row: 1, hidden_row: 3, n_hidden: 3 }
    );
    assert_eq!(
        bad(vec![2, 1], vec![1, 1]),
        KernelError::HiddenRowsDecrease { row: 1, previous: 2, hidden_row: 1 }
    );
    assert_eq!(bad(vec![0, 1], vec![1, 9]), KernelError::TargetOutOfVocab { row: 1, target: 9, vocab: 8 });
}
