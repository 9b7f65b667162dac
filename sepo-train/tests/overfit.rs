//! A model that can learn a few examples by heart does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use sepo_loss::Objective;
use sepo_train::{ActivationPolicy, Scheduler, TrainConfig, TrainExample, reference_logps};
use support::{DPO, SEPO, bits, random_pairs, run, tiny_model, weighted_pairs};

fn overfit_config(steps: u64) -> TrainConfig {
    TrainConfig {
        learning_rate: 1e-2,
        batch_size: 4,
        max_steps: Some(steps),
        scheduler: Scheduler::Constant,
        warmup_ratio: 0.0,
        ..TrainConfig::default()
    }
}

fn last_loss(examples: &[TrainExample], objective: &Objective, config: &TrainConfig) -> f64 {
    let (_, recorder, outcome) = run(None, examples, objective, config);
    outcome.unwrap();
    recorder.steps.last().and_then(|step| step.loss).unwrap()
}

#[test]
fn texts_are_learnt_by_heart() {
    let texts: Vec<TrainExample> = (0..4)
        .map(|i| TrainExample::text(i.into(), (0..10).map(|t| (t * (i + 3) + i) % 23).collect()))
        .collect();
    let loss = last_loss(&texts, &Objective::Sft, &overfit_config(150));
    assert!(loss < 0.02, "{loss}");
}

#[test]
fn selected_tokens_are_told_apart() {
    let loss = last_loss(&weighted_pairs(4, 3), &SEPO, &overfit_config(60));
    assert!(loss < 0.02, "{loss}");
}

#[test]
fn pairs_are_told_apart_from_a_reference() {
    let mut pairs = random_pairs(4, 8);
    reference_logps(&tiny_model(1), &mut pairs, 1000).unwrap();
    let (_, recorder, _) = run(None, &pairs, &DPO, &overfit_config(60));
    let loss = |step: usize| recorder.steps[step].loss.unwrap();
    assert!((loss(0) - 2f64.ln()).abs() < 1e-6, "the first policy is the reference: {}", loss(0));
    assert!(loss(59) < 0.02, "{}", loss(59));
    assert_eq!(recorder.steps[59].preference.accuracy, Some(1.0));
}

#[test]
fn recomputed_activations_give_the_same_weights() {
    let pairs = weighted_pairs(6, 4);
    let kept = overfit_config(5);
    let recomputed = TrainConfig { activations: ActivationPolicy::Recomputed, ..kept.clone() };
    let (kept, ..) = run(None, &pairs, &SEPO, &kept);
    let (recomputed, ..) = run(None, &pairs, &SEPO, &recomputed);
    assert_eq!(bits(&kept), bits(&recomputed));
}

#[test]
fn a_learning_rate_of_zero_moves_no_bit_and_still_measures() {
    let dir = tempfile::tempdir().unwrap();
    let config =
        TrainConfig { learning_rate: 0.0, max_steps: Some(1), weight_decay: 0.1, ..TrainConfig::default() };
    let (model, ..) = run(Some(dir.path()), &weighted_pairs(6, 4), &SEPO, &config);
    assert_eq!(bits(&model), bits(&tiny_model(1)));
    let lines = support::metrics(dir.path());
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["step"], 1);
    assert!(lines[0]["loss"].is_f64() && lines[0]["grad_norm"].is_f64());
}
