//! Every reason for a bad row is found, in its place, and costs no other row.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test that asks for it")]

#[expect(dead_code, reason = "shared by several test binaries, each of which uses a part")]
mod format_fixture;

use arrow::datatypes::DataType;
use format_fixture::{bad, jsonl, list_of, pair, rows, rows_with, strings, write};
use sepo_data::format::{JsonFault, Kind};
use sepo_data::{BadReason, PairFormat, PairRow, ReadConfig, Side};
use serde_json::json;

const GOOD: &str = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;

fn column(name: &str) -> String {
    name.to_owned()
}

/// The reason for the middle one of three rows, of which the others must be good.
fn reason_of(line: &str, good: &str, format: PairFormat) -> BadReason {
    let dir = tempfile::tempdir().unwrap();
    let path = jsonl(dir.path(), &[good, line, good]);
    let found = rows_with(&path, &ReadConfig { format: Some(format), ..ReadConfig::default() });
    assert_eq!(found.len(), 3);
    assert_eq!(pair(&found[0]).row, 0);
    assert_eq!(pair(&found[2]).row, 2, "bad rows are counted");
    let bad = bad(&found[1]);
    assert_eq!((&bad.file, bad.row), (&path, 1));
    bad.reason.clone()
}

fn explicit(line: &str) -> BadReason {
    reason_of(line, GOOD, PairFormat::Explicit)
}

#[test]
fn names_empty_and_identical_sides() {
    assert_eq!(
        explicit(r#"{"prompt": "p", "chosen": "", "rejected": "b"}"#),
        BadReason::EmptySide { side: Side::Chosen }
    );
    assert_eq!(
        explicit(r#"{"prompt": "p", "chosen": "a", "rejected": ""}"#),
        BadReason::EmptySide { side: Side::Rejected }
    );
    assert_eq!(explicit(r#"{"prompt": "p", "chosen": "a", "rejected": "a"}"#), BadReason::IdenticalSides);
}

#[test]
fn names_columns_that_are_missing_null_or_of_the_wrong_type() {
    assert_eq!(
        explicit(r#"{"prompt": "p", "chosen": "a"}"#),
        BadReason::MissingColumn { column: column("rejected") }
    );
    assert_eq!(
        explicit(r#"{"prompt": null, "chosen": "a", "rejected": "b"}"#),
        BadReason::NullColumn { column: column("prompt") }
    );
    let wrong = |found| BadReason::WrongType { column: column("chosen"), needed: Kind::Text, found };
    for (value, kind) in [
        ("5", Kind::Integer),
        ("-1", Kind::Integer),
        ("0.5", Kind::Float),
        ("true", Kind::Boolean),
        ("[]", Kind::EmptyList),
        ("[1]", Kind::Integers),
        ("[\"a\"]", Kind::List),
        ("[{}]", Kind::Messages),
        ("{}", Kind::Struct),
        ("1e400000", Kind::Float),
    ] {
        let line = format!(r#"{{"prompt": "p", "chosen": {value}, "rejected": "b"}}"#);
        if value == "1e400000" {
            assert!(matches!(explicit(&line), BadReason::InvalidJson { line: 2, .. }));
        } else {
            assert_eq!(explicit(&line), wrong(kind), "{value}");
        }
    }
}

#[test]
fn names_rows_that_are_no_objects() {
    for (line, found) in [
        ("3", Kind::Integer),
        ("\"a\"", Kind::Text),
        ("null", Kind::Null),
        ("[1]", Kind::Integers),
        ("1.5", Kind::Float),
        ("true", Kind::Boolean),
    ] {
        assert_eq!(explicit(line), BadReason::NotAnObject { found });
    }
}

#[test]
fn names_line_and_column_of_broken_json() {
    let ends = BadReason::InvalidJson { line: 2, column: 14, fault: JsonFault::EndsEarly };
    assert_eq!(explicit(r#"{"prompt": "p""#), ends);
    let syntax = BadReason::InvalidJson { line: 2, column: 13, fault: JsonFault::Syntax };
    assert_eq!(explicit(r#"{"prompt":  p"}"#), syntax);
    let trailing = explicit(r#"{"prompt": "p", "chosen": "a", "rejected": "b"} x"#);
    assert_eq!(trailing, BadReason::InvalidJson { line: 2, column: 49, fault: JsonFault::Syntax });
    assert!(matches!(
        explicit(r#"{"prompt": "\ud800", "chosen": "a", "rejected": "b"}"#),
        BadReason::InvalidJson { line: 2, .. }
    ));
    let deep = format!(r#"{{"prompt": {}"#, "[".repeat(100_000));
    assert!(matches!(explicit(&deep), BadReason::InvalidJson { line: 2, .. }));
}

#[test]
fn names_the_byte_that_is_not_utf8() {
    let dir = tempfile::tempdir().unwrap();
    for (name, open, close) in [("a.jsonl", "\n", "\n"), ("a.json", "[", ",\n"), ("a.jsonl.gz", "", "\n")] {
        let mut bytes = format!("{open}{GOOD}{close}{{\"prompt\": \"").into_bytes();
        let byte = bytes.len() as u64;
        bytes.extend_from_slice(b"\xff\", \"chosen\": \"a\", \"rejected\": \"b\"}");
        bytes.extend_from_slice(format!("{close}{GOOD}{}", if open == "[" { "]" } else { "\n" }).as_bytes());
        let path = dir.path().join(name);
        std::fs::write(&path, format_fixture::compressed(name, &bytes)).unwrap();
        let found = rows(&path);
        let line = if open == "\n" { 3 } else { 2 };
        assert_eq!(bad(&found[1]).reason, BadReason::InvalidUtf8 { line, byte }, "{name}");
        assert_eq!(pair(&found[2]).file_row, 2);
    }
}

#[test]
fn names_the_byte_of_a_binary_column_that_is_not_utf8() {
    use arrow::array::{BinaryArray, RecordBatch, StringArray};
    use std::sync::Arc;
    let chosen = BinaryArray::from(vec![b"a".as_slice(), b"ab\xff"]);
    let other = || Arc::new(StringArray::from(vec!["b", "b"]));
    let batch = RecordBatch::try_from_iter([
        ("prompt", other() as _),
        ("chosen", Arc::new(chosen) as _),
        ("rejected", other() as _),
    ]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    std::fs::write(&path, format_fixture::parquet_bytes(&batch.unwrap())).unwrap();
    let found = rows(&path);
    pair(&found[0]);
    assert_eq!(bad(&found[1]).reason, BadReason::InvalidUtf8Value { column: column("chosen"), byte: 2 });
}

#[test]
fn names_what_is_wrong_with_transcripts() {
    let good = r#"{"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}"#;
    let check = |line| reason_of(line, good, PairFormat::Transcript);
    let no_turn = r#"{"chosen": "\n\nHuman: q", "rejected": "\n\nHuman: q\n\nAssistant: b"}"#;
    assert_eq!(check(no_turn), BadReason::NoAssistantTurn { side: Side::Chosen });
    let no_turn = r#"{"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q"}"#;
    assert_eq!(check(no_turn), BadReason::NoAssistantTurn { side: Side::Rejected });
    let differ = r#"{"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: r\n\nAssistant: b"}"#;
    assert_eq!(check(differ), BadReason::TranscriptsDiffer { prompt_bytes: 22, shared_bytes: 9 });
    let empty = r#"{"chosen": "\n\nHuman: q\n\nAssistant:", "rejected": "\n\nHuman: q\n\nAssistant: b"}"#;
    assert_eq!(check(empty), BadReason::EmptySide { side: Side::Chosen });
    let same = r#"{"chosen": "\n\nHuman: q\n\nAssistant: b", "rejected": "\n\nHuman: q\n\nAssistant: b"}"#;
    assert_eq!(check(same), BadReason::IdenticalSides);
    // The border falls between two letters that share their first byte.
    let split = r#"{"chosen": "\n\nHuman: é\n\nAssistant: a", "rejected": "\n\nHuman: è\n\nAssistant: b"}"#;
    assert_eq!(check(split), BadReason::TranscriptsDiffer { prompt_bytes: 23, shared_bytes: 10 });
}

#[test]
fn names_what_is_wrong_with_conversations() {
    let user = r#"{"role": "user", "content": "q"}"#;
    let said = |text: &str| format!(r#"{{"role": "assistant", "content": "{text}"}}"#);
    let row = |chosen: &[&str], rejected: &[&str]| {
        format!(r#"{{"chosen": [{}], "rejected": [{}]}}"#, chosen.join(", "), rejected.join(", "))
    };
    let (a, b) = (said("a"), said("b"));
    let good = row(&[user, &a], &[user, &b]);
    let check = |line: &str| reason_of(line, &good, PairFormat::Conversational);
    let empty = |side| BadReason::EmptySide { side };
    assert_eq!(check(&row(&[], &[user, &b])), empty(Side::Chosen));
    assert_eq!(check(&row(&[user, &a, user, &a], &[user, &a])), empty(Side::Rejected));
    assert_eq!(check(&row(&[user, &said("")], &[user, &b])), empty(Side::Chosen));
    assert_eq!(check(&row(&[user, &a], &[user, &a])), BadReason::IdenticalSides);
    assert_eq!(check(&row(&[&a], &[&b])), BadReason::NoSharedPrompt);
    let other = r#"{"role": "user", "content": "r"}"#;
    assert_eq!(check(&row(&[user, &a], &[other, &a])), BadReason::NoSharedPrompt);
    let out_of_order = |column: &str, message| BadReason::RoleOutOfOrder {
        column: column.to_owned(),
        message,
        role: "user".to_owned(),
        needed: "assistant",
    };
    assert_eq!(check(&row(&[user, &a, user, &b], &[user, &a, other, &b])), out_of_order("chosen", 2));
    assert_eq!(check(&row(&[user, &a], &[user, &b, user])), out_of_order("rejected", 2));
    let missing = |field| BadReason::MissingField { column: column("chosen"), message: 1, field };
    assert_eq!(check(&row(&[user, r#"{"role": "assistant"}"#], &[user, &b])), missing("content"));
    assert_eq!(check(&row(&[user, r#"{"content": "a", "role": null}"#], &[user, &b])), missing("role"));
    let wrong = |needed, found| BadReason::WrongType { column: column("chosen"), needed, found };
    assert_eq!(check(&row(&["3"], &[user, &b])), wrong(Kind::Struct, Kind::Integer));
    assert_eq!(check(r#"{"chosen": 3, "rejected": []}"#), wrong(Kind::Messages, Kind::Integer));
    let parts = r#"{"role": "assistant", "content": ["a"]}"#;
    assert_eq!(check(&row(&[user, parts], &[user, &b])), wrong(Kind::Text, Kind::List));
}

#[test]
fn names_what_is_wrong_with_sharegpt() {
    let row = |turns: &str, from: &str| {
        format!(
            r#"{{"conversations": [{turns}], "chosen": {{"from": "{from}", "value": "a"}}, "rejected": {{"from": "gpt", "value": "b"}}}}"#
        )
    };
    let human = r#"{"from": "human", "value": "q"}"#;
    let good = row(human, "gpt");
    let check = |line: &str| reason_of(line, &good, PairFormat::ShareGpt);
    assert_eq!(check(&row("", "gpt")), BadReason::NoSharedPrompt);
    let unknown = BadReason::UnknownRole { column: column("chosen"), message: 0, role: column("bard") };
    assert_eq!(check(&row(human, "bard")), unknown);
    let order = |column: &str, message, role: &str, needed| BadReason::RoleOutOfOrder {
        column: column.to_owned(),
        message,
        role: role.to_owned(),
        needed,
    };
    assert_eq!(check(&row(human, "human")), order("chosen", 0, "user", "assistant"));
    let answered = format!(r#"{human}, {{"from": "gpt", "value": "x"}}"#);
    assert_eq!(check(&row(&answered, "gpt")), order("conversations", 1, "assistant", "user"));
    let late = format!(r#"{human}, {{"from": "system", "value": "x"}}, {human}"#);
    assert_eq!(check(&row(&late, "gpt")), order("conversations", 1, "system", "user"));
    let no_value = r#"{"conversations": [{"from": "human"}], "chosen": "a", "rejected": "b"}"#;
    let missing = BadReason::MissingField { column: column("conversations"), message: 0, field: "value" };
    assert_eq!(check(no_value), missing);
}

#[test]
fn names_ids_that_are_out_of_range() {
    let good = r#"{"prompt_ids": [], "chosen_ids": [1], "rejected_ids": [2]}"#;
    let check = |line| reason_of(line, good, PairFormat::Tokenized);
    let range =
        |column: &str, position, id| BadReason::IdOutOfRange { column: column.to_owned(), position, id };
    let negative = r#"{"prompt_ids": [1, -1], "chosen_ids": [1], "rejected_ids": [2]}"#;
    assert_eq!(check(negative), range("prompt_ids", 1, -1));
    let large = r#"{"prompt_ids": [], "chosen_ids": [4294967296], "rejected_ids": [2]}"#;
    assert_eq!(check(large), range("chosen_ids", 0, 4_294_967_296));
    let huge = r#"{"prompt_ids": [], "chosen_ids": [1], "rejected_ids": [18446744073709551615]}"#;
    assert_eq!(check(huge), range("rejected_ids", 0, u64::MAX.into()));
    let empty = r#"{"prompt_ids": [], "chosen_ids": [], "rejected_ids": [2]}"#;
    assert_eq!(check(empty), BadReason::EmptySide { side: Side::Chosen });
    let null = r#"{"prompt_ids": [], "chosen_ids": [1, null], "rejected_ids": [2]}"#;
    let wrong = |needed, found| BadReason::WrongType { column: column("chosen_ids"), needed, found };
    assert_eq!(check(null), wrong(Kind::Integer, Kind::Null));
    let text = r#"{"prompt_ids": [], "chosen_ids": "1", "rejected_ids": [2]}"#;
    assert_eq!(check(text), wrong(Kind::Integers, Kind::Text));
    let none = r#"{"chosen_ids": [1], "rejected_ids": [2]}"#;
    assert_eq!(check(none), BadReason::MissingColumn { column: column("prompt_ids") });
}

#[test]
fn finds_bad_rows_of_every_container_in_their_place() {
    let raw = [
        json!({"prompt": "p", "chosen": null, "rejected": "b"}),
        json!({"prompt": "p", "chosen": "a", "rejected": "b"}),
        json!({"prompt": "p", "chosen": "a", "rejected": "a"}),
        json!({"prompt": "p", "chosen": "a", "rejected": ""}),
        json!({"prompt": "p", "chosen": "c", "rejected": "b"}),
    ];
    let dir = tempfile::tempdir().unwrap();
    for container in format_fixture::CONTAINERS {
        let path = dir.path().join(format!("a.{container}"));
        write(&path, &["prompt", "chosen", "rejected"].map(|name| (name, strings())), &raw);
        let found = rows(&path);
        let reason = |row: usize| {
            assert_eq!((&bad(&found[row]).file, bad(&found[row]).row), (&path, row as u64));
            bad(&found[row]).reason.clone()
        };
        assert_eq!(reason(0), BadReason::NullColumn { column: column("chosen") }, "{container}");
        assert_eq!(reason(2), BadReason::IdenticalSides);
        assert_eq!(reason(3), BadReason::EmptySide { side: Side::Rejected });
        assert_eq!(pair(&found[4]).row, 4);
        assert_eq!(found.iter().filter(|row| matches!(row, PairRow::Pair(_))).count(), 2);
    }
}

#[test]
fn finds_arrow_ids_that_are_out_of_range() {
    let raw = [
        json!({"prompt_ids": [], "chosen_ids": [1], "rejected_ids": [2]}),
        json!({"prompt_ids": [1], "chosen_ids": [5_000_000_000_i64], "rejected_ids": [2]}),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.parquet");
    write(
        &path,
        &["prompt_ids", "chosen_ids", "rejected_ids"].map(|name| (name, list_of(DataType::Int64))),
        &raw,
    );
    let found = rows(&path);
    pair(&found[0]);
    let reason = BadReason::IdOutOfRange { column: column("chosen_ids"), position: 0, id: 5_000_000_000 };
    assert_eq!(bad(&found[1]).reason, reason);
}
