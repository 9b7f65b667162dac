//! Worked numbers: a pair of five and four tokens, with padding garbage behind each response.
//!
//! Constants made by plain float64 Python from the formulas of the papers; the rest comes from `losses.json` of the shared
//! material, where it is present.

use std::fs;

use dfdx::prelude::*;
use sepo_loss::{
    Composition, IpoReduction, Normalizer, Objective, PairLayout, SequenceRows, TokenGrid, TokenTerms,
};
use serde_json::Value;

use crate::batches::{Batch, Row, close};

const CHOSEN: [(f64, f64); 6] =
    [(-1.2, -1.5), (-0.35, -0.3), (-2.1, -2.6), (-0.8, -0.9), (-0.05, -0.1), (-7.0, -7.5)];
const REJECTED: [(f64, f64); 6] =
    [(-0.9, -0.7), (-1.75, -1.6), (-0.6, -0.55), (-3.2, -2.4), (-4.0, -5.0), (-4.0, -5.0)];
const ALL: [[f64; 6]; 2] = [[1.0, 1.0, 1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]];
const SELECTED: [[f64; 6]; 2] = [[1.0, 0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]];

fn pair(weights: [[f64; 6]; 2]) -> Batch {
    let side = |rows: [(f64, f64); 6], weights: [f64; 6]| -> Vec<Row> {
        rows.iter().zip(weights).map(|(&(logp, reference), weight)| (logp, reference, weight)).collect()
    };
    let mut batch = Batch::of(&[(side(CHOSEN, weights[0]), side(REJECTED, weights[1]))]);
    // k = 0.4 of five and of four tokens.
    batch.pairs[0].chosen_nominal = 2.0;
    batch.pairs[0].rejected_nominal = 1.6;
    batch
}

/// Checks loss and gradients; a gradient is given once a side, for the rows with a weight of 1.
fn check(objective: Objective, weights: [[f64; 6]; 2], loss: f64, chosen: f64, rejected: f64) {
    let evaluation = pair(weights).evaluate(&objective).unwrap();
    assert!(close(evaluation.loss_sum, loss, 1e-12), "{objective:?}: {}", evaluation.loss_sum);
    for (row, &gradient) in evaluation.dlogps.iter().enumerate() {
        let (side, column) = (row / 6, row % 6);
        let expected = weights[side][column] * [chosen, rejected][side];
        assert!(close(gradient, expected, 1e-12), "{objective:?} row {row}: {gradient} against {expected}");
    }
}

#[test]
fn dpo_and_its_smoothed_form() {
    let slope = 0.044769209042567475;
    check(Objective::Dpo { beta: 0.1, label_smoothing: 0.0 }, ALL, 0.5936495810217837, -slope, slope);
    let slope = 0.034769209042567466;
    check(Objective::Dpo { beta: 0.1, label_smoothing: 0.1 }, ALL, 0.6146495810217837, -slope, slope);
}

#[test]
fn ipo_of_means_and_of_sums() {
    let ipo = |reduction| Objective::Ipo { beta: 0.1, reduction };
    check(ipo(IpoReduction::Mean), ALL, 20.430399999999995, -1.808, 2.26);
    check(ipo(IpoReduction::Sum), ALL, 8.41, -5.8, 5.8);
}

#[test]
fn hinge() {
    check(Objective::Hinge { beta: 0.1 }, ALL, 0.79, -0.1, 0.1);
}

#[test]
fn simpo() {
    let simpo = Objective::SimPo { beta: 2.0, gamma: 1.0, label_smoothing: 0.0 };
    check(simpo, ALL, 0.5030574001728005, -0.15812836611439623, 0.1976604576429953);
}

#[test]
fn simpo_smoothed() {
    // 0.9 · softplus(−0.425) + 0.1 · softplus(0.425), and slope 0.1 − σ(−0.425), by hand from the case above.
    let simpo = Objective::SimPo { beta: 2.0, gamma: 1.0, label_smoothing: 0.1 };
    let slope = 0.3953209152859906 - 0.1;
    check(simpo, ALL, 0.5030574001728005 + 0.1 * 0.425, -slope * 2.0 / 5.0, slope * 2.0 / 4.0);
}

#[test]
fn sepo_as_released_and_as_published() {
    let code = Objective::SePo { gamma: 1.0, lambda: 0.0, normalizer: Normalizer::Count };
    check(code, SELECTED, 1.3500584796176431, -0.37038744959107694, 0.7407748991821539);
    let paper = Objective::SePo { gamma: 2.0, lambda: 0.5, normalizer: Normalizer::Nominal };
    check(paper, SELECTED, 3.0962716853586616, -0.9547825265167125, 1.1934781581458904);
}

#[test]
fn sft_counts_weighted_tokens() {
    let evaluation = pair(ALL).evaluate(&Objective::Sft).unwrap();
    assert!(close(evaluation.loss_sum, 4.5, 1e-12));
    assert_eq!(evaluation.n_units, 5.0);
    assert_eq!(evaluation.dlogps, [-1.0, -1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn metrics_carry_trls_names_and_signs() {
    let dpo = pair(ALL).evaluate(&Objective::Dpo { beta: 0.1, label_smoothing: 0.0 }).unwrap().pairs[0];
    for (ours, expected) in [
        (dpo.chosen_logp, -4.5),
        (dpo.rejected_logp, -6.45),
        (dpo.chosen_reward, 0.09),
        (dpo.rejected_reward, -0.12),
        (dpo.margin, 0.21),
    ] {
        assert!(close(ours, expected, 1e-12), "{ours} against {expected}");
    }
    let sepo = Objective::SePo { gamma: 2.0, lambda: 0.5, normalizer: Normalizer::Nominal };
    let sepo = pair(SELECTED).evaluate(&sepo).unwrap().pairs[0];
    assert!(close(sepo.chosen_reward, -3.3, 1e-12) && close(sepo.rejected_reward, -0.75, 1e-12));
    assert!(close(sepo.margin, -2.55, 1e-12) && close(sepo.chosen_logp, -3.3, 1e-12));
}

pub(crate) fn shared() -> Option<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/losses.json");
    match fs::read_to_string(path) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(_) => {
            println!("skipped: no shared vectors beside the repository");
            None
        }
    }
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn shared_batch(inputs: &Value, case: &Value) -> Batch {
    let side = |logps: &str, reference: &str, weights: &str| -> Vec<Row> {
        let (logps, reference) = (numbers(&inputs[logps]), numbers(&inputs[reference]));
        let weights = numbers(&case[weights]);
        (0..logps.len()).map(|i| (logps[i], reference[i], weights[i])).collect()
    };
    let mut batch = Batch::of(&[(side("pc", "rc", "w_chosen"), side("pr", "rr", "w_rejected"))]);
    (batch.pairs[0].chosen_nominal, batch.pairs[0].rejected_nominal) = (2.0, 1.6);
    batch
}

#[test]
fn every_shared_case_of_these_losses() {
    let Some(shared) = shared() else { return };
    let dpo = |label_smoothing| Objective::Dpo { beta: 0.1, label_smoothing };
    let ipo = |reduction| Objective::Ipo { beta: 0.1, reduction };
    let simpo = |beta, gamma| Objective::SimPo { beta, gamma, label_smoothing: 0.0 };
    let sepo = |gamma, lambda, normalizer| Objective::SePo { gamma, lambda, normalizer };
    let exact = 1e-12;
    for (name, objective, tolerance) in [
        ("dpo", dpo(0.0), exact),
        ("cdpo_eps0.1", dpo(0.1), exact),
        ("hinge", Objective::Hinge { beta: 0.1 }, exact),
        ("ipo_sum", ipo(IpoReduction::Sum), exact),
        ("ipo_avg", ipo(IpoReduction::Mean), exact),
        ("simpo", simpo(2.0, 1.0), exact),
        ("confpo", simpo(1.5, 1.6), exact),
        ("sepo_code", sepo(1.0, 0.0, Normalizer::Count), exact),
        ("sepo_paper", sepo(2.0, 0.5, Normalizer::Nominal), exact),
        ("selective_dpo_q0.6", dpo(0.0), exact),
        ("mix_sepo_x_dpo", dpo(0.0), exact),
        ("tis_paper", dpo(0.0), exact),
        ("tis_rank_code", dpo(0.0), exact),
        ("tgdpo", dpo(0.0), exact),
        ("d2po", dpo(0.0), exact),
        ("mix_tis_x_simpo", simpo(2.0, 1.0), exact),
        ("mix_d2po_x_ipo", ipo(IpoReduction::Mean), exact),
    ] {
        let case = &shared["cases"][name];
        let evaluation = shared_batch(&shared["inputs"], case).evaluate(&objective).unwrap();
        let loss = case["loss"].as_f64().unwrap();
        assert!(
            close(evaluation.loss_sum, loss, tolerance),
            "{name}: {} against {loss}",
            evaluation.loss_sum
        );
        let expected = [numbers(&case["grad_chosen"]), numbers(&case["grad_rejected"])].concat();
        for (row, (ours, theirs)) in evaluation.dlogps.iter().zip(&expected).enumerate() {
            assert!(close(*ours, *theirs, tolerance), "{name} row {row}: {ours} against {theirs}");
        }
    }
}

#[test]
fn gradients_reach_the_logits_of_a_model_on_the_tape() {
    let Some(shared) = shared() else { return };
    let (inputs, case) = (&shared["full_vocab"]["inputs"], &shared["full_vocab"]["cases"]["dpo"]);
    let device = Cpu::default();
    let rows = |chosen: &str, rejected: &str| -> Vec<f64> {
        let both = [&inputs[chosen], &inputs[rejected]];
        both.iter().flat_map(|side| side.as_array().unwrap().iter().flat_map(numbers)).collect()
    };
    let logits = |values: Vec<f64>| device.tensor_from_vec(values, (5, Const::<4>));
    let targets = [numbers(&inputs["y_c"]), numbers(&inputs["y_r"])].concat();
    let targets: Vec<usize> = (0..5).map(|row| (0..4).find(|&v| v as f64 == targets[row]).unwrap()).collect();
    let targets = device.tensor_from_vec(targets, (5,));
    let policy = logits(rows("pol_c", "pol_r"));
    let logps = policy.leaky_trace().log_softmax::<Axis<1>>().select::<(usize,), _>(targets.clone());
    let reference = logits(rows("ref_c", "ref_r")).log_softmax::<Axis<1>>().select::<(usize,), _>(targets);

    let side = |rows| TokenGrid::new(&[SequenceRows { rows, nominal: 1.0 }], &[1.0; 5]).unwrap();
    let terms = TokenTerms { reference: Some(reference), ..TokenTerms::of_policy(logps) };
    let layout = PairLayout::of_pairs(side(0..3), side(3..5));
    let losses = Composition::default().losses(terms, &layout).unwrap();
    assert!(close(losses.as_vec()[0], case["loss"].as_f64().unwrap(), 1e-12));
    let gradients = losses.sum::<Rank0, _>().backward().get(&policy).as_vec();
    let expected = [&case["grad_logits_chosen"], &case["grad_logits_rejected"]];
    let expected = expected.iter().flat_map(|side| side.as_array().unwrap().iter().flat_map(numbers));
    for (ours, theirs) in gradients.iter().zip(expected) {
        assert!(close(*ours, theirs, 1e-10), "{ours} against {theirs}");
    }
}
