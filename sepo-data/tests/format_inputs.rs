//! Files, folders, globs; splits; detection over several files.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test that asks for it")]

#[expect(dead_code, reason = "shared by several test binaries, each of which uses a part")]
mod format_fixture;

use std::fs;
use std::path::Path;

use format_fixture::{bad, inputs, pair, rows_with, try_rows};
use sepo_data::format::{Kind, TextItem};
use sepo_data::{DataError, PairContent, PairFormat, PairRow, ReadConfig, open_pairs, open_texts};

const PAIR: &str = "{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}\n";
const HH: &str = r#"{"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}"#;

fn put(dir: &Path, name: &str, content: &str) -> String {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

fn files_of(input: &Path, split: Option<&str>) -> Result<Vec<String>, DataError> {
    let config = ReadConfig { split: split.map(str::to_owned), ..ReadConfig::default() };
    let rows = try_rows(&[input], &config)?;
    Ok(rows.iter().map(|row| pair(row).file.strip_prefix(input).unwrap().display().to_string()).collect())
}

fn open(inputs: &[String]) -> Result<sepo_data::PairReader, DataError> {
    open_pairs(inputs, &ReadConfig::default())
}

#[test]
fn reads_the_layouts_of_the_hub() {
    for (names, split, expected) in [
        (
            &[
                "data/train-00001-of-00002.jsonl",
                "data/train-00000-of-00002.jsonl",
                "data/test-00000-of-00001.jsonl",
                "README.json.md",
            ][..],
            None,
            &["data/train-00000-of-00002.jsonl", "data/train-00001-of-00002.jsonl"][..],
        ),
        (
            &["data/train_sft-00000-of-00001.jsonl", "data/train_prefs-00000-of-00001.jsonl"],
            None,
            &["data/train_prefs-00000-of-00001.jsonl"],
        ),
        (
            &["data/test-00000-of-00001.jsonl", "data/train-00000-of-00001.jsonl"],
            Some("test"),
            &["data/test-00000-of-00001.jsonl"],
        ),
        (&["train.jsonl", "test.jsonl", "dataset_infos.json", ".hidden.jsonl"], None, &["train.jsonl"]),
        (&["b.jsonl", "a.jsonl"], None, &["a.jsonl", "b.jsonl"]),
        (&["validation.jsonl"], None, &["validation.jsonl"]),
        (
            &["train/data-00000-of-00001.jsonl", "train/state.json", "test/data-00000-of-00001.jsonl"],
            None,
            &["train/data-00000-of-00001.jsonl"],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            put(dir.path(), name, PAIR);
        }
        assert_eq!(files_of(dir.path(), split).unwrap(), expected, "{names:?}");
    }
}

#[test]
fn names_the_split_that_it_chose() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "data/train_prefs-00000-of-00001.jsonl", PAIR);
    put(dir.path(), "data/test_prefs-00000-of-00001.jsonl", PAIR);
    let reader = open(&inputs(&[dir.path()])).unwrap();
    assert!(
        reader.format().reason.ends_with("the split `train_prefs` is read, not `test_prefs`"),
        "{:?}",
        reader.format()
    );
    assert_eq!(reader.splits()[0].available, ["test_prefs", "train_prefs"]);
}

#[test]
fn refuses_folders_without_the_split() {
    let dir = tempfile::tempdir().unwrap();
    let error = files_of(dir.path(), None).unwrap_err();
    assert!(matches!(error, DataError::NoDataFiles { .. }));
    put(dir.path(), "test.jsonl", PAIR);
    put(dir.path(), "validation.jsonl", PAIR);
    let error = files_of(dir.path(), None).unwrap_err().to_string();
    assert!(error.ends_with("has several splits, name one of `test`, `validation`"), "{error}");
    let error = files_of(dir.path(), Some("train")).unwrap_err().to_string();
    assert!(error.ends_with("has no split `train`; it has `test`, `validation`"), "{error}");
}

#[test]
fn reads_globs_and_several_inputs_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let z = put(dir.path(), "z.jsonl", PAIR);
    put(dir.path(), "b/1.jsonl", &format!("{PAIR}oops\n"));
    put(dir.path(), "b/2.jsonl", PAIR);
    put(dir.path(), "b/0.jsonl", "\n");
    let odd = put(dir.path(), "a[1].jsonl", PAIR);
    let glob = dir.path().join("b/*.jsonl").display().to_string();
    let found = open(&[z, glob, odd]).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    let place = |row: &PairRow| {
        let pair = pair(row);
        (pair.row, pair.file_row, pair.file.file_name().unwrap().to_str().unwrap().to_owned())
    };
    assert_eq!(place(&found[0]), (0, 0, "z.jsonl".to_owned()));
    assert_eq!(place(&found[1]), (1, 0, "1.jsonl".to_owned()));
    assert_eq!(bad(&found[2]).row, 1);
    assert_eq!(place(&found[3]), (3, 0, "2.jsonl".to_owned()));
    assert_eq!(place(&found[4]), (4, 0, "a[1].jsonl".to_owned()));
}

#[test]
fn refuses_inputs_that_are_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| vec![dir.path().join(name).display().to_string()];
    assert!(matches!(open(&[]).err(), Some(DataError::NoInputs)));
    assert!(matches!(open(&at("a.jsonl")).err(), Some(DataError::NotFound { .. })));
    assert!(matches!(open(&at("*.jsonl")).err(), Some(DataError::NoMatch { .. })));
    assert!(matches!(open(&at("***.jsonl")).err(), Some(DataError::Pattern { .. })));
    let csv = put(dir.path(), "a.csv", "prompt,chosen\n");
    assert!(matches!(open(&[csv]).err(), Some(DataError::UnknownExtension { .. })));
    for (name, content) in [("e.jsonl", ""), ("e.json", " [ ] "), ("f.jsonl", "\n\n")] {
        let empty = put(dir.path(), name, content);
        assert!(matches!(open(&[empty]).err(), Some(DataError::NoRows { .. })), "{name}");
    }
}

#[test]
fn says_what_a_file_that_fits_no_format_has_and_what_each_needs() {
    let dir = tempfile::tempdir().unwrap();
    let path = put(dir.path(), "a.jsonl", r#"{"question": "q", "chosen": "a", "score": 3, "rejected": "b"}"#);
    let error = open(&[path]).err().unwrap();
    let text = error.to_string();
    assert!(
        text.contains("it has `question`, `chosen` (a string), `score`, `rejected` (a string)"),
        "{text}"
    );
    assert!(text.contains("explicit: `prompt`, `chosen` and `rejected` as strings"), "{text}");
    assert!(text.ends_with("is not guessed: add a `prompt` column, or name it"), "{text}");
    let path = put(dir.path(), "b.jsonl", r#"{"chosen": 5}"#);
    let Some(DataError::UnknownFormat { columns, .. }) = open(&[path]).err() else { panic!("another error") };
    assert_eq!(columns[0].kind, Some(Kind::Integer));
    let path = put(dir.path(), "c.json", "{\n\"prompt\": \"p\"\n}");
    let text = open(&[path]).err().unwrap().to_string();
    assert!(text.ends_with("row 0: the JSON ends early on line 1, column 1"), "{text}");
}

#[test]
fn reads_renamed_columns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    fs::write(&path, r#"{"question": "q", "good": "a", "score": 3, "bad": "b", "chosen": "x"}"#).unwrap();
    let named = |name: &str| Some(name.to_owned());
    let config = ReadConfig {
        prompt_column: named("question"),
        chosen_column: named("good"),
        rejected_column: named("bad"),
        ..ReadConfig::default()
    };
    let expected = PairContent::Text { prompt: "q".into(), chosen: "a".into(), rejected: "b".into() };
    assert_eq!(pair(&rows_with(&path, &config)[0]).content, expected);
    fs::write(&path, r#"{"prompt_ids": [1], "good": [2], "rejected_ids": [3], "chosen_ids": [9]}"#).unwrap();
    let config = ReadConfig { chosen_column: named("good"), ..ReadConfig::default() };
    let expected = PairContent::Tokens { prompt_ids: vec![1], chosen_ids: vec![2], rejected_ids: vec![3] };
    assert_eq!(pair(&rows_with(&path, &config)[0]).content, expected);
}

#[test]
fn detects_behind_bad_first_rows() {
    let dir = tempfile::tempdir().unwrap();
    let bad_rows = "oops\n{\"chosen\": \"a\", \"rejected\": \"b\"}\n{\"prompt\": null}\n";
    let path = put(dir.path(), "a.jsonl", &format!("{bad_rows}{PAIR}"));
    let reader = open(&[path]).unwrap();
    assert_eq!(reader.format().format, PairFormat::Explicit);
    let found = reader.collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(
        (bad(&found[0]).row, bad(&found[1]).row, bad(&found[2]).row, pair(&found[3]).row),
        (0, 1, 2, 3)
    );
}

#[test]
fn refuses_a_later_file_of_another_format() {
    let dir = tempfile::tempdir().unwrap();
    let files = [put(dir.path(), "a.jsonl", PAIR), put(dir.path(), "b.jsonl", HH)];
    let mut reader = open(&files).unwrap();
    assert!(matches!(reader.next(), Some(Ok(PairRow::Pair(_)))));
    let Some(Err(error)) = reader.next() else { panic!("no error") };
    assert!(matches!(
        error,
        DataError::MixedFormats { first: PairFormat::Explicit, found: PairFormat::Transcript, .. }
    ));
    assert!(reader.next().is_none(), "an error ends the iteration");
}

#[test]
fn a_forced_format_is_not_questioned() {
    let dir = tempfile::tempdir().unwrap();
    let path = put(dir.path(), "a.jsonl", HH);
    let config = ReadConfig { format: Some(PairFormat::Explicit), ..ReadConfig::default() };
    let mut reader = open_pairs(&[path], &config).unwrap();
    assert_eq!(reader.format().reason, "the format `explicit` was asked for");
    assert!(matches!(reader.next(), Some(Ok(PairRow::Bad(_)))));
}

#[test]
fn reads_plain_text_and_tells_it_from_pairs() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("a.json", r#"["one", "", 3, " two\n"]"#),
        ("a.jsonl", "\"one\"\n\"\"\n3\n\" two\\n\""),
        (
            "b.jsonl",
            "{\"text\": \"one\"}\n{\"text\": \"\"}\n{\"text\": 3}\n{\"text\": \" two\\n\", \"prompt\": \"x\"}",
        ),
    ] {
        let path = put(dir.path(), name, content);
        let reader = open_texts(std::slice::from_ref(&path), &ReadConfig::default()).unwrap();
        assert_eq!(reader.format().format, PairFormat::Text);
        let found: Vec<_> = reader.map(Result::unwrap).collect();
        let text = |item: &TextItem| match item {
            TextItem::Text(row) => (row.row, row.text.clone()),
            TextItem::Bad(bad) => (bad.row, bad.reason.name().to_owned()),
        };
        let expected = [(0, "one"), (1, "empty-text"), (2, "wrong-type"), (3, " two\n")];
        assert_eq!(
            found.iter().map(text).collect::<Vec<_>>(),
            expected.map(|(row, text)| (row, text.to_owned())),
            "{name}"
        );
        assert!(matches!(open(&[path]).err(), Some(DataError::NotPairs { .. })));
    }
    let pairs = put(dir.path(), "c.jsonl", PAIR);
    let error = open_texts(&[pairs], &ReadConfig::default()).err();
    assert!(matches!(error, Some(DataError::NotText { format: PairFormat::Explicit, .. })));
}
