//! Batches and settings that must be refused, and those that must not.

use sepo_loss::{
    Input, IpoReduction, LossBatch, LossError, Normalizer, Objective, Side, TokenGrid, evaluate,
};

use crate::batches::{Batch, objectives};

const DPO: Objective = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };
const SEPO: Objective = Objective::SePo { gamma: 1.0, lambda: 0.0, normalizer: Normalizer::Count };

/// Two pairs of two and one tokens.
fn two_pairs() -> Batch {
    let side = |logps: &[f64]| logps.iter().map(|&logp| (logp, -1.0, 1.0)).collect::<Vec<_>>();
    Batch::of(&[(side(&[-1.0, -2.0]), side(&[-0.5])), (side(&[-3.0, -0.1]), side(&[-0.2]))])
}

#[test]
fn names_the_first_bad_logp() {
    let mut batch = two_pairs();
    batch.logps[5] = f64::NEG_INFINITY;
    let error = batch.evaluate(&SEPO).unwrap_err();
    assert!(matches!(
        error,
        LossError::InputNotFinite {
            input: Input::PolicyLogps,
            pair: 1,
            side: Side::Rejected,
            row: 5,
            value: f64::NEG_INFINITY
        }
    ));
    assert_eq!(error.to_string(), "use the policy log-prob -inf at row 5 of the rejected side of pair 1");
    assert!(batch.evaluate(&Objective::Sft).is_ok(), "the rejected side is not read");
}

#[test]
fn names_the_bad_reference_logp() {
    let mut batch = two_pairs();
    batch.reference[0] = f64::NAN;
    let error = batch.evaluate(&DPO).unwrap_err();
    assert!(matches!(error, LossError::InputNotFinite { input: Input::ReferenceLogps, pair: 0, row: 0, .. }));
    assert!(batch.evaluate(&SEPO).is_ok(), "the reference is not read");
}

#[test]
fn a_missing_reference_is_an_error_where_it_is_needed() {
    let batch = two_pairs();
    let without = LossBatch { reference_logps: None, ..batch.view() };
    for objective in objectives() {
        let result = evaluate(&objective, &without);
        if objective.needs_reference() {
            assert!(
                matches!(result, Err(LossError::InputMissing { input: Input::ReferenceLogps, .. })),
                "{objective:?}"
            );
        } else {
            assert!(result.is_ok(), "{objective:?}");
        }
    }
}

#[test]
fn lengths_have_to_agree() {
    let batch = two_pairs();
    let short = LossBatch { reference_logps: Some(&batch.reference[..5]), ..batch.view() };
    assert!(matches!(
        evaluate(&DPO, &short),
        Err(LossError::InputLength { input: Input::ReferenceLogps, n_rows: 6, n_entries: 5 })
    ));
    let short = LossBatch { weights: &batch.weights[..4], ..batch.view() };
    assert!(matches!(
        evaluate(&SEPO, &short),
        Err(LossError::InputLength { input: Input::Weights, n_rows: 6, n_entries: 4 })
    ));
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "an inverted range is the point")]
fn ranges_have_to_fit() {
    for rows in [4..3, 5..7, 7..7] {
        let mut batch = two_pairs();
        batch.pairs[1].rejected = rows;
        assert!(matches!(
            batch.evaluate(&SEPO),
            Err(LossError::PairRowsOutOfRange { pair: 1, side: Side::Rejected, n_rows: 6, .. })
        ));
    }
}

#[test]
fn weights_have_to_be_numbers() {
    for weight in [f64::NAN, f64::INFINITY] {
        let mut batch = two_pairs();
        batch.weights[1] = weight;
        let error = batch.evaluate(&SEPO).unwrap_err();
        assert!(matches!(error, LossError::WeightNotFinite { pair: 0, side: Side::Chosen, row: 1, .. }));
    }
}

#[test]
fn negative_weights_are_fine_in_a_sum_and_refused_as_a_divisor() {
    let mut batch = two_pairs();
    batch.weights[2] = -0.5;
    assert!(batch.evaluate(&DPO).is_ok());
    let error = batch.evaluate(&SEPO).unwrap_err();
    assert!(matches!(error, LossError::WeightSumNegative { pair: 0, side: Side::Rejected, .. }));
}

#[test]
fn nominal_counts_are_checked_where_they_divide() {
    for nominal in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut batch = two_pairs();
        batch.pairs[0].chosen_nominal = nominal;
        let paper = Objective::SePo { gamma: 1.0, lambda: 0.0, normalizer: Normalizer::Nominal };
        let error = batch.evaluate(&paper).unwrap_err();
        assert!(matches!(error, LossError::NominalOutOfRange { pair: 0, side: Side::Chosen, .. }));
        assert!(batch.evaluate(&SEPO).is_ok());
    }
}

#[test]
fn settings_without_a_meaning_are_refused() {
    let simpo = |beta, gamma, label_smoothing| Objective::SimPo { beta, gamma, label_smoothing };
    let sepo = |gamma, lambda| Objective::SePo { gamma, lambda, normalizer: Normalizer::Count };
    for (objective, at_fault) in [
        (Objective::Dpo { beta: 0.0, label_smoothing: 0.0 }, "beta"),
        (Objective::Dpo { beta: 0.1, label_smoothing: 0.5 }, "label_smoothing"),
        (Objective::Ipo { beta: f64::NAN, reduction: IpoReduction::Sum }, "beta"),
        (Objective::Hinge { beta: -1.0 }, "beta"),
        (simpo(f64::INFINITY, 0.0, 0.0), "beta"),
        (simpo(1.0, f64::NAN, 0.0), "gamma"),
        (simpo(1.0, 0.0, -0.1), "label_smoothing"),
        (sepo(0.0, 0.0), "gamma"),
        (sepo(1.0, f64::INFINITY), "lambda"),
    ] {
        match two_pairs().evaluate(&objective) {
            Err(LossError::SettingOutOfRange { setting, .. }) => assert_eq!(setting, at_fault),
            other => panic!("{objective:?}: {other:?}"),
        }
    }
}

#[test]
fn an_overflow_is_named_not_returned() {
    let mut batch = two_pairs();
    batch.logps[3] = -1e300;
    let ipo = Objective::Ipo { beta: 0.1, reduction: IpoReduction::Sum };
    assert!(matches!(batch.evaluate(&ipo), Err(LossError::LossNotFinite { pair: 1, .. })));
}

#[test]
fn nothing_in_nothing_out() {
    for objective in objectives() {
        let nothing = Batch::default().evaluate(&objective).unwrap();
        assert_eq!((nothing.loss_sum, nothing.n_units, nothing.n_empty), (0.0, 0.0, 0));
        assert!(nothing.dlogps.is_empty() && nothing.pairs.is_empty());

        let empty = Batch::of(&[(vec![], vec![]), (vec![(f64::NAN, 0.0, 0.0)], vec![])]);
        let empty = empty.evaluate(&objective).unwrap();
        assert_eq!((empty.loss_sum, empty.n_units, empty.n_empty), (0.0, 0.0, 2));
        assert_eq!(empty.dlogps, [0.0]);
    }
}

#[test]
fn weights_that_cancel_make_an_empty_side() {
    let batch = Batch::of(&[(vec![(-1.0, -1.0, 1.0), (-2.0, -1.0, -1.0)], vec![(-1.0, -1.0, 1.0)])]);
    for objective in objectives() {
        let evaluation = batch.evaluate(&objective).unwrap();
        assert_eq!((evaluation.loss_sum, evaluation.n_empty), (0.0, 1), "{objective:?}");
        assert_eq!(evaluation.dlogps, [0.0; 3], "{objective:?}");
    }
}

#[test]
fn offsets_have_to_ascend_over_all_rows() {
    let position = |offsets: &[usize]| match TokenGrid::from_offsets(offsets, &[1.0; 4]) {
        Err(LossError::OffsetOutOfRange { position, .. }) => position,
        other => panic!("{offsets:?}: {other:?}"),
    };
    assert_eq!(position(&[1, 4]), 0);
    assert_eq!(position(&[0, 3, 2, 4]), 2);
    assert_eq!(position(&[0, 3]), 1);
    assert_eq!(position(&[0, 5]), 1);
    assert!(TokenGrid::from_offsets(&[0, 0, 4, 4], &[1.0; 4]).is_ok());
    assert_eq!(TokenGrid::from_offsets(&[], &[]).unwrap().n_sequences(), 0);
}
