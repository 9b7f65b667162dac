//! Checkpoints that are not what was written are recognised.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
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

fn append(path: PathBuf) {
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.push(0);
    std::fs::write(&path, bytes).unwrap();
}

/// A folder with its name and nothing in it, as a file system that lost its data leaves.
fn empty(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::create_dir(folder).unwrap();
}

/// Ways to harm a folder, and a part of what the warning must say.
const HARMS: [(Harm, &str); 10] = [
    (|folder| std::fs::remove_file(folder.join("state.json")).unwrap(), "`state.json` cannot be read"),
    (|folder| truncate(folder.join("state.json")), "`state.json` cannot be understood"),
    (|folder| std::fs::write(folder.join("state.json"), r#"{"format": 99}"#).unwrap(), "its format is 99"),
    (
        |folder| std::fs::remove_file(folder.join("optimizer.safetensors")).unwrap(),
        "`optimizer.safetensors` cannot",
    ),
    (|folder| truncate(folder.join("model.safetensors")), "`model.safetensors` has the hash"),
    (|folder| flip_last_bit(folder.join("optimizer.safetensors")), "`optimizer.safetensors` has the hash"),
    (|folder| std::fs::remove_file(folder.join("state.json.b3")).unwrap(), "`state.json.b3` cannot be read"),
    (|folder| flip_last_bit(folder.join("state.json.b3")), "`state.json` has the hash"),
    (|folder| append(folder.join("model.safetensors")), "`model.safetensors` has the hash"),
    (empty, "`state.json` cannot be read"),
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
fn a_bit_that_flips_anywhere_is_recognised() {
    let (examples, config) = (weighted_pairs(7, 2), quick_config());
    let whole = tempfile::tempdir().unwrap();
    let (expected, ..) = run(Some(whole.path()), &examples, &SEPO, &config);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for trial in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        support::copy_dir(whole.path(), dir.path());
        let file = ["model.safetensors", "optimizer.safetensors", "state.json", "state.json.b3"][trial % 4];
        let path = dir.path().join("checkpoints/step-00000006").join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let at = rng.next_u32() as usize % bytes.len();
        bytes[at] ^= 1 << (rng.next_u32() % 8);
        std::fs::write(&path, bytes).unwrap();
        let (model, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
        assert_eq!(outcome.unwrap().resumed_from, Some(4), "{file} at {at}");
        assert_eq!(recorder.checkpoint_warnings().len(), 1);
        assert_eq!(bits(&model), bits(&expected));
    }
}

#[test]
fn a_checkpoint_of_the_format_before_is_still_read() {
    let (examples, config) = (weighted_pairs(7, 2), quick_config());
    let dir = tempfile::tempdir().unwrap();
    run(Some(dir.path()), &examples, &SEPO, &config).2.unwrap();
    let folder = dir.path().join("checkpoints/step-00000006");
    let mut state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("state.json")).unwrap()).unwrap();
    state["format"] = 1.into();
    state.as_object_mut().unwrap().remove("guards");
    std::fs::write(folder.join("state.json"), state.to_string()).unwrap();
    std::fs::remove_file(folder.join("state.json.b3")).unwrap();
    let (_, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
    assert_eq!(outcome.unwrap().resumed_from, Some(6));
    assert!(recorder.checkpoint_warnings().is_empty());
}

#[test]
fn what_a_cut_off_write_left_is_removed_whatever_it_is() {
    let (examples, config) = (weighted_pairs(7, 2), quick_config());
    let dir = tempfile::tempdir().unwrap();
    run(Some(dir.path()), &examples, &SEPO, &config).2.unwrap();
    let checkpoints = dir.path().join("checkpoints");
    std::fs::create_dir(checkpoints.join(".tmp-step-00000007")).unwrap();
    std::fs::write(checkpoints.join(".tmp-step-00000007/model.safetensors"), "half").unwrap();
    std::fs::write(checkpoints.join(".tmp-removed-step-00000001"), "a file").unwrap();
    std::fs::write(checkpoints.join("step-notes.txt"), "of a person").unwrap();
    let (_, recorder, outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
    assert_eq!(outcome.unwrap().resumed_from, Some(6));
    assert_eq!(
        recorder.warnings.iter().filter(|warning| warning.contains("removed the unfinished")).count(),
        2
    );
    assert!(checkpoints.join("step-notes.txt").exists());
    assert!(!checkpoints.join(".tmp-step-00000007").exists());
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
