//! Checkpoints that are not what was written are recognised.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};

use sepo_train::TrainConfig;
use support::{SEPO, bits, metrics, quick_config, run, weighted_pairs};

type Harm = fn(&Path);

fn truncate(path: PathBuf) {
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
}

fn flip_last_bit(path: PathBuf) {
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

/// Ways to harm a folder, and a part of what the warning must say.
const HARMS: [(Harm, &str); 6] = [
    (|folder| std::fs::remove_file(folder.join("state.json")).unwrap(), "`state.json` cannot be read"),
    (|folder| truncate(folder.join("state.json")), "`state.json` cannot be understood"),
    (|folder| std::fs::write(folder.join("state.json"), r#"{"format": 99}"#).unwrap(), "its format is 99"),
    (
        |folder| std::fs::remove_file(folder.join("optimizer.safetensors")).unwrap(),
        "`optimizer.safetensors` cannot",
    ),
    (|folder| truncate(folder.join("model.safetensors")), "`model.safetensors` has the hash"),
    (|folder| flip_last_bit(folder.join("optimizer.safetensors")), "`optimizer.safetensors` has the hash"),
];

#[test]
fn the_checkpoint_before_a_damaged_one_is_used_and_the_end_is_the_same() {
    let (examples, config) = (weighted_pairs(7, 2), quick_config());
    let whole = tempfile::tempdir().unwrap();
    let (expected, ..) = run(Some(whole.path()), &examples, &SEPO, &config);
    for (harm, message) in HARMS {
        let dir = tempfile::tempdir().unwrap();
        support::copy_dir(whole.path(), dir.path());
        harm(&dir.path().join("checkpoints/step-00000006"));
        let (model, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
        assert_eq!(outcome.unwrap().resumed_from, Some(4));
        let warnings = recorder.checkpoint_warnings();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains(message), "{}", warnings[0]);
        assert_eq!(bits(&model), bits(&expected));
        assert_eq!(metrics(dir.path()), metrics(whole.path()));
        // The damaged folder has been replaced.
        let (_, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
        assert_eq!(outcome.unwrap().resumed_from, Some(6));
        assert!(recorder.checkpoint_warnings().is_empty());
    }
}

#[test]
fn with_no_whole_checkpoint_the_run_begins_anew_and_says_why() {
    let (examples, config) = (weighted_pairs(7, 2), quick_config());
    let dir = tempfile::tempdir().unwrap();
    let (expected, ..) = run(Some(dir.path()), &examples, &SEPO, &config);
    let before = metrics(dir.path());
    for step in [2, 4, 6] {
        truncate(dir.path().join(format!("checkpoints/step-{step:08}/model.safetensors")));
    }
    let (model, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
    assert_eq!(outcome.unwrap().resumed_from, None);
    assert_eq!(recorder.checkpoint_warnings().len(), 3);
    assert_eq!(bits(&model), bits(&expected));
    assert_eq!(metrics(dir.path()), before);
}

#[test]
fn only_the_newest_checkpoints_stay() {
    let dir = tempfile::tempdir().unwrap();
    let config = TrainConfig { save_every: Some(1), keep_checkpoints: 2, ..quick_config() };
    run(Some(dir.path()), &weighted_pairs(7, 2), &SEPO, &config).2.unwrap();
    let mut names: Vec<String> = std::fs::read_dir(dir.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["step-00000005", "step-00000006"]);
}
