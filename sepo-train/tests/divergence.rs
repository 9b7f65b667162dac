//! What cannot go on stops, and names who is to blame; what is empty is counted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use sepo_loss::Objective;
use sepo_model::Cpu;
use sepo_train::{Quantity, TrainConfig, TrainError, TrainExample, evaluate_pairs, reference_logps};
use support::{SEPO, bits, quick_config, run, tiny_model, weighted_pairs};

#[test]
fn the_row_that_makes_the_loss_not_finite_is_named_and_the_batch_saved() {
    use std::sync::atomic::AtomicBool;
    let dir = tempfile::tempdir().unwrap();
    let mut examples: Vec<TrainExample> =
        (0..3).map(|row| TrainExample::pair(row + 40, vec![1, 2], vec![3, 4], vec![5])).collect();
    examples[1].prompt_ids[0] = 22;
    let mut model = tiny_model(1);
    // The embedding of token 22, which only one example holds.
    let embedding =
        model.parameters.layout().iter().find(|info| info.name.contains("embed")).unwrap().range.clone();
    model.parameters.as_mut_slice()[embedding.end - 1] = f32::NAN;
    let before = bits(&model);
    let mut observer = sepo_train::Silent;
    let options = sepo_train::RunOptions {
        on: &Cpu,
        dir: Some(dir.path()),
        observer: &mut observer,
        interrupt: &AtomicBool::new(false),
    };
    let data = sepo_train::TrainData::new(&examples);
    let error = sepo_train::train(&mut model, data, &SEPO, &quick_config(), options).unwrap_err();
    let TrainError::Diverged { quantity, step, rows, saved } = error else { panic!("{error}") };
    assert_eq!((quantity, step, rows), (Quantity::Loss, 1, vec![41]));
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(saved.unwrap()).unwrap()).unwrap();
    assert_eq!(saved["rows"][0], 41);
    assert_eq!(saved["examples"].as_array().unwrap().len(), 3);
    assert!(saved["examples"][0]["chosen_ids"].is_array());
    assert_eq!(bits(&model), before);

    assert!(matches!(
        reference_logps(&model, &mut examples.clone(), 100),
        Err(TrainError::LogpsNotFinite { rows }) if rows == [41]
    ));
    assert!(matches!(
        evaluate_pairs(&model, &examples, &SEPO, 100),
        Err(TrainError::LogpsNotFinite { rows }) if rows == [41]
    ));
}

#[test]
fn the_row_that_makes_the_gradient_not_finite_is_named() {
    let mut examples = weighted_pairs(3, 2);
    for example in &mut examples {
        example.chosen_weights = None;
    }
    // Finite, but its gradient is beyond f32.
    examples[2].chosen_weights = Some(vec![f32::MAX; examples[2].chosen_ids.len()]);
    let config = TrainConfig { tokens_per_batch: 1, ..quick_config() };
    let (model, _, outcome) = run(None, &examples, &Objective::Sft, &config);
    let error = outcome.unwrap_err();
    let TrainError::Diverged { quantity, step, rows, saved } = error else { panic!("{error}") };
    assert_eq!((quantity, step, rows, saved), (Quantity::Gradient, 1, vec![102], None));
    assert_eq!(bits(&model), bits(&tiny_model(1)));
}

#[test]
fn a_batch_of_empty_pairs_changes_nothing_and_is_counted() {
    let mut examples = weighted_pairs(6, 2);
    for example in &mut examples {
        example.rejected_weights = Some(vec![0.0; example.rejected_ids.len()]);
    }
    let config = TrainConfig { epochs: 1.0, ..quick_config() };
    let (model, recorder, outcome) = run(None, &examples, &SEPO, &config);
    let progress = outcome.unwrap().progress;
    assert_eq!((progress.step, progress.n_empty_batches, progress.n_empty_pairs), (2, 2, 6));
    assert_eq!(bits(&model), bits(&tiny_model(1)));
    assert_eq!(recorder.warnings.len(), 2);
    let step = &recorder.steps[1];
    assert_eq!((step.loss, step.grad_norm, step.rows, step.empty_pairs), (None, None, 0, 3));
}

#[test]
fn bad_input_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (.., outcome) = run(Some(dir.path()), &[], &SEPO, &quick_config());
    assert!(matches!(outcome, Err(TrainError::NoExamples)));
    let examples = weighted_pairs(3, 2);
    let (.., outcome) = run(Some(dir.path()), &examples, &support::DPO, &quick_config());
    assert!(matches!(outcome, Err(TrainError::NoReference { row: 100 })));
    let config = TrainConfig { batch_size: 0, ..quick_config() };
    let (.., outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
    assert!(matches!(outcome, Err(TrainError::InvalidConfig { field: "batch_size", .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let mut outside = examples;
    outside[0].chosen_ids[0] = 23;
    let (.., outcome) = run(None, &outside, &SEPO, &TrainConfig { batch_size: 9, ..quick_config() });
    assert!(matches!(outcome, Err(TrainError::Model(_))));
}
