//! A disk that is full, a folder that cannot be written to, files that go away: a clear error, and the last good state as
//! it was.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mount;
mod stages;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mount::{Mount, unfinished};
use support::{DATA, Ran, World, scored_world};

const N_STEPS: usize = 30;

fn train(out: &str) -> String {
    format!(
        "train --model model --data pairs.jsonl --objective simpo --learning-rate 1e-3 --batch-size 2 \
         --max-steps {N_STEPS} --save-every 5 --out {out}"
    )
}

/// Runs a command of the world with files of at most `kib` KiB.
fn limited(world: &World, kib: u32, line: &str) -> Ran {
    let inner = world.command(line);
    let mut shell = Command::new("sh");
    // In dash and in POSIX a block has 512 bytes, in bash 1024.
    let blocks = if is_bash() { kib } else { 2 * kib };
    shell.args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")]).arg(inner.get_program());
    shell.args(inner.get_args()).current_dir(inner.get_current_dir().unwrap());
    for (name, value) in inner.get_envs() {
        shell.env(name, value.unwrap());
    }
    support::finish(&mut shell)
}

fn is_bash() -> bool {
    let version = Command::new("sh").args(["-c", "echo ${BASH_VERSION:-}"]).output().unwrap();
    !String::from_utf8(version.stdout).unwrap().trim().is_empty()
}

#[track_caller]
fn assert_same_end(world: &World, out: &str) {
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        let [found, expected] = [out, "whole"].map(|out| world.read(&format!("{out}/{file}")));
        assert!(found == expected, "{out}/{file} is not that of the whole run");
    }
    assert_eq!(world.read_text(&format!("{out}/metrics.jsonl")).lines().count(), N_STEPS);
}

#[test]
fn a_checkpoint_that_finds_no_room_is_named_and_the_run_goes_on_once_there_is() {
    let world = World::new(8);
    world.sepo(&train("whole")).done();
    let ran = limited(&world, 20, &train("full"));
    ran.fails(
        DATA,
        &["checkpoints/.tmp-step-00000005/model.safetensors", "ulimit -f", "run the same command again"],
    );
    assert_eq!(unfinished(Path::new(&world.path("full"))), [""; 0].map(PathBuf::from));
    world.sepo(&train("full")).done();
    assert_same_end(&world, "full");
}

#[test]
fn what_was_complete_before_the_disk_was_full_is_used_after() {
    let world = World::new(8);
    world.sepo(&train("whole")).done();
    // Stopped with a checkpoint, by a deadline that comes at once, after its first steps.
    let mut child = world.command(&train("full")).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !Path::new(&world.path("full/checkpoints/step-00000010")).exists() {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let checkpoints = |world: &World| -> Vec<String> {
        let entries = std::fs::read_dir(world.path("full/checkpoints")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    };
    let before = checkpoints(&world);
    if !exists(&world, "full/model.safetensors") {
        limited(&world, 20, &train("full")).fails(DATA, &["ulimit -f"]);
        assert_eq!(checkpoints(&world), before);
    }
    world.sepo(&train("full")).done();
    assert_same_end(&world, "full");
}

fn exists(world: &World, file: &str) -> bool {
    Path::new(&world.path(file)).exists()
}

#[test]
fn scores_and_selections_that_find_no_room_leave_nothing() {
    let world = scored_world(8);
    let score =
        "score --oracle oracle/oracle --reference oracle/reference --data pairs.jsonl --out new.parquet";
    limited(&world, 2, score).fails(DATA, &["new.parquet", "ulimit -f"]);
    assert_eq!(unfinished(Path::new(&world.path("."))), [""; 0].map(PathBuf::from));
    assert!(!exists(&world, "new.parquet"));
    world.sepo(score).done();
    assert!(world.read("new.parquet") == world.read("scores.parquet"));
}

#[test]
fn a_file_in_place_of_a_folder_is_named() {
    let world = World::new(8);
    world.write("out", "a file");
    let ran = world.sepo(&train("out"));
    assert_eq!(ran.code, Some(DATA), "{}", ran.stderr);
    assert!(ran.stderr.contains("`out`"), "{}", ran.stderr);
    world.sepo(&train("out/below")).fails(DATA, &["`out/below`", "a file stands where a folder should"]);
    assert_eq!(world.read("out"), b"a file");
    std::fs::create_dir(world.path("run")).unwrap();
    world.write("run/checkpoints", "a file");
    let ran = world.sepo(&train("run"));
    assert_eq!(ran.code, Some(DATA), "{}", ran.stderr);
    assert!(ran.stderr.contains("run/checkpoints"), "{}", ran.stderr);
}

#[test]
fn a_folder_that_is_removed_while_a_run_goes_on_is_named() {
    let world = World::new(8);
    let line = train("gone").replace("--max-steps 30", "--max-steps 4000");
    let child = world.command(&line).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !exists(&world, "gone/checkpoints/step-00000005") {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::rename(world.path("gone"), world.path("moved")).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(DATA), "{text}");
    assert!(text.contains("gone/") && text.contains("removed while the run went on"), "{text}");
    assert!(!exists(&world, "gone/model.safetensors"));
}

#[test]
fn a_full_file_system_is_told_and_a_larger_one_is_enough() {
    let world = World::new(8);
    world.sepo(&train("whole")).done();
    let mut n_failed = 0;
    // So that another file is the first that finds no room.
    for size_kib in [16, 48, 96, 160, 240, 400, 560, 720, 880] {
        let Some(mount) = Mount::new(&world.path("small"), &format!("size={size_kib}k")) else { return };
        let ran = world.sepo(&train("small/out"));
        if ran.code != Some(0) {
            ran.fails(DATA, &["small/out", "make room there and run the same command again"]);
            assert_eq!(unfinished(Path::new(&world.path("small"))), [""; 0].map(PathBuf::from));
            n_failed += 1;
        }
        mount.again_with("size=20m");
        world.sepo(&train("small/out")).done();
        assert_same_end(&world, "small/out");
        drop(mount);
    }
    assert!(n_failed > 3, "{n_failed}");
}

#[test]
fn a_read_only_file_system_is_told_and_nothing_changes() {
    let world = World::new(8);
    world.sepo(&train("whole")).done();
    let Some(mount) = Mount::new(&world.path("disk"), "size=20m") else { return };
    let line = train("disk/out").replace("--max-steps 30", "--max-steps 30 --save-by 1ms");
    world.sepo(&line);
    mount.again_with("ro");
    world.sepo(&train("disk/out")).fails(DATA, &["`disk/out`", "read-only"]);
    world.sepo(&train("disk/new")).fails(DATA, &["`disk/new`", "read-only"]);
    mount.again_with("rw");
    world.sepo(&train("disk/out")).done();
    assert_same_end(&world, "disk/out");
    drop(mount);
}
