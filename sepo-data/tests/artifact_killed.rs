//! A writer that is killed, dropped or refused leaves what was there before.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use sepo_data::{AtomicFile, ScoredPair, ScoresMeta, ScoresReader, ScoresWriter};

const VICTIM: &str = "SEPO_TEST_KILLED_WRITER";

/// Not a test of its own: the process that the next test kills.
#[test]
fn writes_until_killed_where_asked() {
    let Ok(path) = std::env::var(VICTIM) else { return };
    let mut writer = ScoresWriter::create(path, ScoresMeta::default()).unwrap();
    for row in 0..20_000 {
        writer.write(&ScoredPair { row, prompt_ids: vec![1, 2, 3], ..ScoredPair::default() }).unwrap();
    }
    std::process::abort();
}

#[test]
fn a_killed_writer_leaves_the_final_name_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.parquet");
    let kill = || {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["writes_until_killed_where_asked", "--exact", "--nocapture"])
            .env(VICTIM, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(!status.success());
    };
    kill();
    assert!(!path.exists());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with(".scores.parquet.")), "{left:?}");

    ScoresWriter::create(&path, ScoresMeta::default()).unwrap().finish().unwrap();
    kill();
    assert_eq!(ScoresReader::open(&path).unwrap().n_rows(), 0, "the file from before is whole");
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = ScoresWriter::create(dir.path().join("scores.parquet"), ScoresMeta::default()).unwrap();
    writer.write(&ScoredPair::default()).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn commit_replaces_and_obeys_the_umask() {
    let dir = tempfile::tempdir().unwrap();
    let [path, plain] = ["a", "plain"].map(|name| dir.path().join(name));
    fs::write(&path, "old").unwrap();
    fs::write(&plain, "").unwrap();
    let mut file = AtomicFile::create(&path).unwrap();
    assert_eq!(file.target(), path);
    file.write_all(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    file.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    let mode = |p| fs::metadata(p).unwrap().permissions();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn names_and_folders_that_do_not_exist_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    assert!(AtomicFile::create(dir.path().join("missing/x")).is_err());
    assert!(AtomicFile::create("/").is_err());
    assert!(AtomicFile::create("").is_err());
}
