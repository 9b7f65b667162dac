//! A process that is killed without warning, again and again, still ends as one that was not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use sepo_train::{TrainConfig, TrainExample};
use support::{SEPO, checkpoint_file, metrics, quick_config, run, weighted_pairs};

const CHILD_DIR: &str = "SEPO_TRAIN_TEST_CHILD_DIR";
const N_STEPS: u64 = 60;

fn long_run() -> (Vec<TrainExample>, TrainConfig) {
    let config =
        TrainConfig { max_steps: Some(N_STEPS), save_every: Some(1), keep_checkpoints: 3, ..quick_config() };
    (weighted_pairs(12, 2), config)
}

/// Not a test by itself: the process that [`killing_at_any_moment_loses_nothing`] starts and kills.
#[test]
fn the_child() {
    let Some(dir) = std::env::var_os(CHILD_DIR).map(PathBuf::from) else { return };
    let (examples, config) = long_run();
    run(Some(&dir), &examples, &SEPO, &config).2.unwrap();
}

#[test]
fn killing_at_any_moment_loses_nothing() {
    let (examples, config) = long_run();
    let whole = tempfile::tempdir().unwrap();
    run(Some(whole.path()), &examples, &SEPO, &config).2.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut is_done = false;
    for attempt in 0..200_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["the_child", "--exact"])
            .env(CHILD_DIR, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Uneven pauses that grow, so that every part of a step is hit and the run ends at last.
        std::thread::sleep(Duration::from_micros(20_000 + attempt * 7_919));
        child.kill().unwrap();
        is_done = child.wait().unwrap().success();
        if is_done {
            break;
        }
    }
    assert!(is_done, "the run never came to its end");
    for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
        let [found, expected] = [dir.path(), whole.path()].map(|dir| checkpoint_file(dir, N_STEPS, file));
        assert_eq!(found, expected, "{file}");
    }
    assert_eq!(metrics(dir.path()), metrics(whole.path()));
}
