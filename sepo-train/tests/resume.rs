//! A run that was stopped ends as the one that was not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use sepo_train::{Status, TrainConfig, TrainError, TrainExample};
use support::{SEPO, bits, checkpoint_file, copy_dir, metrics, quick_config, run, run_until, weighted_pairs};

/// 7 pairs by 3, two epochs: 6 steps.
fn examples() -> Vec<TrainExample> {
    weighted_pairs(7, 2)
}

/// Weights, moments and metrics of a folder whose run has ended.
fn assert_same_end(dir: &Path, whole: &Path) {
    for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
        assert_eq!(checkpoint_file(dir, 6, file), checkpoint_file(whole, 6, file), "{file}");
    }
    assert_eq!(metrics(dir), metrics(whole));
}

#[test]
fn a_run_interrupted_after_any_step_ends_bit_for_bit_the_same() {
    let (examples, config) = (examples(), quick_config());
    let whole = tempfile::tempdir().unwrap();
    let (expected, recorder, outcome) = run(Some(whole.path()), &examples, &SEPO, &config);
    assert_eq!(outcome.unwrap().total_steps, 6);
    assert_eq!(recorder.checkpoints, [2, 4, 6]);
    for step in 1..6 {
        let dir = tempfile::tempdir().unwrap();
        let stopped = run_until(step, dir.path(), &examples, &SEPO, &config);
        assert_eq!((stopped.status, stopped.progress.step), (Status::Interrupted, step));
        let (model, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
        let outcome = outcome.unwrap();
        assert_eq!((outcome.status, outcome.resumed_from), (Status::Done, Some(step)));
        assert_eq!(recorder.steps.first().unwrap().step, step + 1);
        assert_eq!(bits(&model), bits(&expected));
        assert_same_end(dir.path(), whole.path());
    }
}

#[test]
fn a_run_killed_anywhere_goes_on_from_its_last_checkpoint() {
    let (examples, config) = (examples(), quick_config());
    let whole = tempfile::tempdir().unwrap();
    let (expected, ..) = run(Some(whole.path()), &examples, &SEPO, &config);
    for killed_after in 0..6_u64 {
        let dir = tempfile::tempdir().unwrap();
        copy_dir(whole.path(), dir.path());
        // What a kill leaves: no later checkpoint, an unfinished one, metrics that are ahead, a torn line.
        for later in (killed_after + 1..=6).filter(|step| step % 2 == 0) {
            let folder = dir.path().join(format!("checkpoints/step-{later:08}"));
            std::fs::rename(&folder, dir.path().join(format!("checkpoints/.tmp-step-{later:08}"))).unwrap();
        }
        let log = dir.path().join("metrics.jsonl");
        let text = std::fs::read_to_string(&log).unwrap();
        let ahead: usize =
            text.split_inclusive('\n').take(usize::try_from(killed_after).unwrap()).map(str::len).sum();
        std::fs::write(&log, &text[..ahead + 9]).unwrap();

        let (model, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
        let last_saved = killed_after / 2 * 2;
        assert_eq!(outcome.unwrap().resumed_from, (last_saved > 0).then_some(last_saved));
        assert!(recorder.warnings[0].starts_with("removed the unfinished"), "{:?}", recorder.warnings);
        assert_eq!(bits(&model), bits(&expected), "killed after {killed_after}");
        assert_same_end(dir.path(), whole.path());
    }
}

#[test]
fn a_finished_run_returns_at_once_with_its_weights() {
    let (examples, config) = (examples(), quick_config());
    let dir = tempfile::tempdir().unwrap();
    let (first, ..) = run(Some(dir.path()), &examples, &SEPO, &config);
    let before = metrics(dir.path());
    let (again, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
    assert_eq!(outcome.unwrap().status, Status::Done);
    assert!(recorder.steps.is_empty() && recorder.checkpoints.is_empty());
    assert_eq!(bits(&first), bits(&again));
    assert_eq!(metrics(dir.path()), before);
}

#[test]
fn a_folder_of_another_run_is_refused_and_left_alone() {
    let (examples, config) = (examples(), quick_config());
    let dir = tempfile::tempdir().unwrap();
    run_until(2, dir.path(), &examples, &SEPO, &config);
    let before = metrics(dir.path());
    let changed = |config: &TrainConfig, examples: &[TrainExample]| {
        let (model, _, outcome) = run(Some(dir.path()), examples, &SEPO, config);
        assert_eq!(bits(&model), bits(&support::tiny_model(1)));
        match outcome {
            Err(TrainError::ConfigChanged { fields, .. }) => fields,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(changed(&TrainConfig { epochs: 3.0, ..config.clone() }, &examples), ["epochs"]);
    assert_eq!(changed(&TrainConfig { max_steps: Some(9), ..config.clone() }, &examples), ["max_steps"]);
    assert_eq!(
        changed(&TrainConfig { learning_rate: 1.0, seed: 6, ..config.clone() }, &examples),
        ["learning_rate", "seed"]
    );
    let mut other = examples.clone();
    other[3].chosen_ids[0] = (other[3].chosen_ids[0] + 1) % support::VOCAB;
    assert_eq!(changed(&config, &other), ["data"]);
    assert_eq!(metrics(dir.path()), before);
    // How often something is written decides no weight.
    let rarely = TrainConfig { save_every: None, keep_checkpoints: 1, ..config };
    let (.., outcome) = run(Some(dir.path()), &examples, &SEPO, &rarely);
    assert_eq!(outcome.unwrap().resumed_from, Some(2));
}

#[test]
fn a_run_killed_between_its_last_checkpoint_and_the_removal_of_older_ones_removes_them() {
    let (examples, config) = (examples(), quick_config());
    let dir = tempfile::tempdir().unwrap();
    run(Some(dir.path()), &examples, &SEPO, &config).2.unwrap();
    let left = || -> Vec<String> {
        let entries = std::fs::read_dir(dir.path().join("checkpoints")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("step-"));
        names.sort();
        names
    };
    assert_eq!(left(), ["step-00000002", "step-00000004", "step-00000006"]);
    let config = TrainConfig { keep_checkpoints: 2, ..config };
    run(Some(dir.path()), &examples, &SEPO, &config).2.unwrap();
    assert_eq!(left(), ["step-00000004", "step-00000006"]);
}
