//! A classifier of tokens on a frozen model: gradients, labels that can be told apart, labels that cannot.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::AtomicBool;

use sepo_model::{Cpu, FrozenModel, Model, ModelConfig, PairTokens, TokenClassifier};
use sepo_train::{
    ClassifierReport, Scheduler, TrainConfig, TrainError, TrainExample, evaluate_classifier, train_classifier,
};

fn model(seed: u64) -> Model {
    let config = r#"{"model_type": "llama", "vocab_size": 23, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3}"#;
    Model::random(ModelConfig::from_json(config).unwrap(), seed).unwrap()
}

/// Pairs of drawn ids, with labels by `label`.
fn pairs(n: u32, label: impl Fn(u32) -> f32) -> Vec<TrainExample> {
    let id = |i: u32| (i.wrapping_mul(2_654_435_761) >> 16) % 23;
    let ids = |from: u32, n: u32| (from..from + n).map(id).collect::<Vec<u32>>();
    (0..n)
        .map(|i| {
            let (chosen, rejected) = (ids(100 * i + 7, 3 + i % 4), ids(100 * i + 50, 2 + i % 5));
            let labels = [&chosen, &rejected].map(|ids| ids.iter().map(|id| label(*id)).collect());
            let mut pair = TrainExample::pair(u64::from(i), ids(100 * i, 2), chosen, rejected);
            let [chosen, rejected] = labels;
            (pair.chosen_weights, pair.rejected_weights) = (Some(chosen), Some(rejected));
            pair
        })
        .collect()
}

fn config(steps: u64) -> TrainConfig {
    TrainConfig {
        learning_rate: 0.05,
        batch_size: 8,
        max_steps: Some(steps),
        scheduler: Scheduler::Constant,
        warmup_ratio: 0.0,
        ..TrainConfig::default()
    }
}

fn learn(model: &Model, pairs: &[TrainExample], config: &TrainConfig) -> TokenClassifier {
    train_classifier(&Cpu, model, pairs, config, &AtomicBool::new(false), |_| {}).unwrap().unwrap()
}

fn report(model: &Model, classifier: &TokenClassifier, pairs: &[TrainExample]) -> ClassifierReport {
    evaluate_classifier(&Cpu, model, classifier, pairs, &config(1)).unwrap()
}

#[test]
fn labels_that_a_plane_separates_are_learned_and_hold_on_other_pairs() {
    let model = model(1);
    let mut all = pairs(120, |_| 0.0);
    let mut network = FrozenModel::new(&model);
    for pair in &mut all {
        let ids =
            PairTokens { prompt: &pair.prompt_ids, chosen: &pair.chosen_ids, rejected: &pair.rejected_ids };
        let states = network.response_states(&[ids]).unwrap();
        let mut labels = states.rows().map(|state| f32::from(u8::from(state[0] - 0.5 * state[5] > 0.2)));
        let of = |weights: &mut Option<Vec<f32>>| {
            weights.iter_mut().flatten().for_each(|w| *w = labels.next().unwrap())
        };
        [&mut pair.chosen_weights, &mut pair.rejected_weights].into_iter().for_each(of);
    }
    let (seen, unseen) = all.split_at(80);
    let before = report(&model, &TokenClassifier::new(&model), unseen);
    assert!(before.auroc == Some(0.5) && (before.loss.unwrap() - 2f64.ln()).abs() < 1e-12, "{before:?}");
    let learned = report(&model, &learn(&model, seen, &config(600)), unseen);
    assert!(learned.auroc.unwrap() > 0.97 && learned.balanced_accuracy.unwrap() > 0.9, "{learned:?}");
    let share =
        unseen.iter().flat_map(|pair| pair.chosen_weights.iter().chain(&pair.rejected_weights).flatten());
    let (good, n) = share.fold((0.0, 0.0), |(good, n), label| (good + f64::from(*label), n + 1.0));
    assert!((learned.mean_label.unwrap() - good / n).abs() < 1e-12);
}

#[test]
fn the_first_step_is_down_the_finite_differences_of_the_loss() {
    let model = model(2);
    let pairs = pairs(5, |id| f32::from(u8::from(id > 8)) * 0.75);
    let mut network = FrozenModel::new(&model);
    let loss = |parameters: &[f64]| {
        let (mut sum, mut n) = (0.0, 0.0);
        for pair in &pairs {
            let ids = PairTokens {
                prompt: &pair.prompt_ids,
                chosen: &pair.chosen_ids,
                rejected: &pair.rejected_ids,
            };
            let states = network.response_states(&[ids]).unwrap();
            let labels = pair.chosen_weights.iter().chain(&pair.rejected_weights).flatten();
            for (state, label) in states.rows().zip(labels) {
                let dot: f64 = state.iter().zip(parameters).map(|(h, w)| f64::from(*h) * w).sum();
                let p = 1.0 / (1.0 + (-dot - parameters[16]).exp());
                let y = f64::from(*label);
                sum -= y * p.ln() + (1.0 - y) * (1.0 - p).ln();
                n += 1.0;
            }
        }
        sum / n
    };
    // Of Adam's first step only the sign of the slope is left; without second moments of note it is the slope itself.
    let steep = TrainConfig { adam_eps: 1e3, learning_rate: 1e3, max_grad_norm: None, ..config(1) };
    let stepped = learn(&model, &pairs, &steep);
    let mut loss = loss;
    for i in 0..17 {
        let mut at = |offset: f64| {
            let mut moved = [0.0; 17];
            moved[i] = offset;
            loss(&moved)
        };
        let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
        let found = -f64::from(stepped.parameters()[i]);
        assert!((slope - found).abs() < 1e-3 * slope.abs() + 1e-6, "{i}: {found}, expected {slope}");
    }
}

#[test]
fn how_a_step_is_cut_into_passes_changes_rounding_only_and_the_same_run_is_the_same() {
    let model = model(3);
    let pairs = pairs(20, |id| f32::from(u8::from(id > 8)));
    let whole = learn(&model, &pairs, &config(12));
    assert_eq!(whole, learn(&model, &pairs, &config(12)));
    let cut = learn(&model, &pairs, &TrainConfig { tokens_per_batch: 1, ..config(12) });
    for (a, b) in whole.parameters().iter().zip(cut.parameters()) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    assert_ne!(whole, learn(&model, &pairs, &TrainConfig { seed: 1, ..config(12) }));
}

#[test]
fn an_interrupted_training_makes_nothing_and_bad_labels_are_named() {
    let model = model(4);
    let mut labelled = pairs(3, |_| 1.0);
    let stopped =
        train_classifier(&Cpu, &model, &labelled, &config(5), &AtomicBool::new(true), |_| {}).unwrap();
    assert!(stopped.is_none());
    labelled[1].rejected_weights.as_mut().unwrap()[1] = -0.5;
    let error =
        train_classifier(&Cpu, &model, &labelled, &config(5), &AtomicBool::new(false), |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "row 1 has the label -0.5 at rejected token 1; labels are from 0 to 1");
    labelled[1].rejected_weights = None;
    let error =
        train_classifier(&Cpu, &model, &labelled, &config(5), &AtomicBool::new(false), |_| {}).unwrap_err();
    assert!(matches!(error, TrainError::NoLabels { row: 1, .. }), "{error}");
}
