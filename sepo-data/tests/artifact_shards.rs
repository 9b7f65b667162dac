//! Shards survive whatever ends the process, and are never mixed with those of another run.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use sepo_data::{LogpsMeta, OtherRun, PairLogps, ShardError, ShardStore, TokenizeReport};
use serde_json::{Map, Value, json};

type Store = ShardStore<PairLogps>;

fn identity(model: &str) -> Map<String, Value> {
    let Value::Object(identity) = json!({"model": model, "limit": null}) else { panic!("an object") };
    identity
}

fn open(dir: &Path, model: &str, other: OtherRun) -> Result<Store, ShardError> {
    Store::open(dir, identity(model), other)
}

fn counted(n_pairs: u64) -> TokenizeReport {
    TokenizeReport { n_pairs, skipped: [("empty-side".to_owned(), 1)].into(), ..TokenizeReport::default() }
}

/// Makes the shard of the source pairs from `start` up to `end`, one of which was skipped.
fn make(store: &mut Store, start: u64, end: u64) {
    let mut writer = store.writer(start, LogpsMeta::default()).unwrap();
    for row in start..end - 1 {
        let logps = vec![-1.0; usize::try_from(row % 3).unwrap()];
        writer.write(&PairLogps { row, chosen_logps: logps, rejected_logps: vec![-2.0] }).unwrap();
    }
    store.commit(writer, start..end, counted(end - start - 1)).unwrap();
}

/// A folder with the shards of 0..4, 4..7 and 7..9.
fn three() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let parts = dir.path().join("logps.parquet.parts");
    let mut store = open(&parts, "a", OtherRun::Refuse).unwrap();
    [(0, 4), (4, 7), (7, 9)].into_iter().for_each(|(start, end)| make(&mut store, start, end));
    (dir, parts)
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn shards_that_are_done_are_found_again() {
    let (_dir, parts) = three();
    let mut store = open(&parts, "a", OtherRun::Refuse).unwrap();
    assert_eq!(store.done(), [0..9]);
    assert_eq!((store.done_report().n_pairs, store.done_report().n_skipped()), (6, 3));
    assert_eq!((store.place_behind(0), store.next_place(0), store.place_behind(2)), (0, 9, 11));
    make(&mut store, 9, 11);
    let rows: Vec<u64> = store.rows().map(|row| row.unwrap().row).collect();
    assert_eq!(rows, [0, 1, 2, 4, 5, 7, 9]);
    store.remove().unwrap();
    assert!(!parts.exists());
}

#[test]
fn what_a_crash_has_left_is_no_shard() {
    let (_dir, parts) = three();
    // A shard that the manifest did not come to name, and files that were being written.
    fs::copy(parts.join("part-00002.parquet"), parts.join("part-00003.parquet")).unwrap();
    fs::write(parts.join(".part-00004.parquet.a1b2.tmp"), "half").unwrap();
    fs::write(parts.join(".manifest.json.a1b2.tmp"), "{").unwrap();
    let mut store = open(&parts, "a", OtherRun::Refuse).unwrap();
    assert_eq!(store.done(), [0..9]);
    make(&mut store, 9, 12);
    assert_eq!(store.rows().count(), 8);
    assert_eq!(names(&parts).len(), 5, "{:?}", names(&parts));

    // Shards without a manifest belong to nobody.
    fs::remove_file(parts.join("manifest.json")).unwrap();
    let store = open(&parts, "b", OtherRun::Refuse).unwrap();
    assert_eq!(store.done(), []);
    assert_eq!(names(&parts), [""; 0]);
}

#[test]
fn a_damaged_shard_is_made_again_alone() {
    for damage in ["cut", "flipped", "gone"] {
        let (_dir, parts) = three();
        let path = parts.join("part-00001.parquet");
        let whole = fs::read(&path).unwrap();
        match damage {
            "cut" => fs::write(&path, &whole[..whole.len() - 9]).unwrap(),
            "flipped" => {
                let mut bytes = whole.clone();
                bytes[20] ^= 1;
                fs::write(&path, bytes).unwrap();
            }
            _ => fs::remove_file(&path).unwrap(),
        }
        let mut store = open(&parts, "a", OtherRun::Refuse).unwrap();
        assert_eq!((store.done(), store.n_damaged()), (&[0..4, 7..9][..], 1), "{damage}");
        assert_eq!(store.done_report().n_pairs, 4);
        assert_eq!((store.next_place(0), store.place_behind(3), store.next_place(3)), (4, 7, 9));
        make(&mut store, 4, 7);
        assert_eq!(store.n_damaged(), 0);
        assert!(fs::read(&path).unwrap() == whole, "{damage}");
        assert_eq!(open(&parts, "a", OtherRun::Refuse).unwrap().done(), [0..9]);
    }
}

#[test]
fn a_shard_lies_where_the_manifest_says_and_nowhere_else() {
    let (_dir, parts) = three();
    fs::remove_file(parts.join("part-00001.parquet")).unwrap();
    let mut store = open(&parts, "a", OtherRun::Refuse).unwrap();
    let error = store.writer(5, LogpsMeta::default()).unwrap_err();
    assert!(matches!(error, ShardError::Places { start: 5, expected: 9, .. }), "{error}");
    let writer = store.writer(4, LogpsMeta::default()).unwrap();
    let error = store.commit(writer, 4..6, TokenizeReport::default()).unwrap_err();
    assert!(matches!(error, ShardError::OtherEnd { index: 1, found: 6, expected: 7, .. }), "{error}");
}

#[test]
fn the_shards_of_another_run_are_refused_or_removed() {
    let (_dir, parts) = three();
    let error = open(&parts, "b", OtherRun::Refuse).unwrap_err();
    let ShardError::OtherRun { differences, .. } = &error else { panic!("{error}") };
    assert_eq!(differences, &[r#"`model` was "a", is "b""#]);
    assert_eq!(names(&parts).len(), 4, "nothing is lost");

    let store = open(&parts, "a", OtherRun::Replace).unwrap();
    assert_eq!(store.done(), [0..9], "the same run goes on");
    fs::write(parts.join("notes.txt"), "mine").unwrap();
    for (model, other) in [("b", OtherRun::Replace), ("a", OtherRun::StartOver)] {
        let mut store = open(&parts, model, other).unwrap();
        assert_eq!((store.done(), store.shards().len()), (&[][..], 0));
        make(&mut store, 0, 2);
    }
    open(&parts, "a", OtherRun::Refuse).unwrap().remove().unwrap();
    assert_eq!(names(&parts), ["notes.txt"], "only what is ours is removed");
}

#[test]
fn a_manifest_that_makes_no_sense_is_an_error_that_names_it() {
    let (_dir, parts) = three();
    let path = parts.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let broken = [
        (text[..text.len() / 2].to_owned(), "Manifest"),
        (text.replace("\"layout\":1", "\"layout\":9"), "Layout"),
        (text.replace("\"start\":4", "\"start\":5"), "Places"),
        (text.replace("\"end\":4", "\"end\":0"), "Places"),
    ];
    for (text, kind) in broken {
        fs::write(&path, text).unwrap();
        let error = open(&parts, "a", OtherRun::Refuse).unwrap_err();
        assert!(format!("{error:?}").starts_with(kind), "{error:?}");
        assert!(error.to_string().contains("logps.parquet.parts"), "{error}");
    }
    assert_eq!(open(&parts, "a", OtherRun::Replace).unwrap().done(), []);
}

#[test]
fn the_folder_around_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    let error = open(&dir.path().join("absent/parts"), "a", OtherRun::Refuse).unwrap_err();
    assert!(matches!(error, ShardError::Access { .. }), "{error}");
    assert!(!dir.path().join("absent").exists());
}
