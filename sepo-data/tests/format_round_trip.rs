//! Each format in each container reads as the same pairs.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test that asks for it")]

#[expect(dead_code, reason = "shared by several test binaries, each of which uses a part")]
mod format_fixture;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use format_fixture::{CONTAINERS, contents, inputs, list_of, message, pair, rows, strings, write};
use sepo_data::format::{write_pairs, write_pairs_jsonl, write_pairs_parquet};
use sepo_data::{Message, PairContent, PairFormat, ReadConfig, open_pairs};
use serde_json::{Value, json};

fn turn(role: &str, content: &str) -> Message {
    Message { role: role.to_owned(), content: content.to_owned() }
}

fn text(prompt: &str, chosen: &str, rejected: &str) -> PairContent {
    PairContent::Text { prompt: prompt.to_owned(), chosen: chosen.to_owned(), rejected: rejected.to_owned() }
}

fn chat(prompt: &[Message], chosen: &[Message], rejected: &[Message]) -> PairContent {
    PairContent::Chat { prompt: prompt.to_vec(), chosen: chosen.to_vec(), rejected: rejected.to_vec() }
}

/// Reads the rows in every container and checks format, reason, pairs and row numbers.
fn check(
    columns: &[(&str, DataType)],
    raw: &[Value],
    format: PairFormat,
    reason: &str,
    expected: &[PairContent],
) {
    let dir = tempfile::tempdir().unwrap();
    for container in CONTAINERS {
        let path = dir.path().join(format!("rows.{container}"));
        write(&path, columns, raw);
        let reader = open_pairs(&inputs(&[&path]), &ReadConfig::default()).unwrap();
        assert_eq!(reader.format().format, format, "{container}");
        assert_eq!(reader.format().reason, reason, "{container}");
        let found = reader.collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(contents(&found), expected, "{container}");
        for (index, row) in found.iter().enumerate() {
            assert_eq!((pair(row).row, pair(row).file_row), (index as u64, index as u64));
            assert_eq!(**pair(row).file, path);
        }
    }
}

#[test]
fn reads_explicit_strings_byte_for_byte() {
    let raw = [
        json!({"prompt": " 1+1 =\n", "chosen": " 2\n\n", "rejected": "\t3 ", "extra": {"a": [1]}}),
        json!({"extra": null, "rejected": " ", "prompt": "", "chosen": "größer\u{0}\u{feff}"}),
        json!({"prompt": "p", "chosen": "\"\\[{,}]", "rejected": "]"}),
    ];
    let columns =
        [("prompt", strings()), ("extra", strings()), ("chosen", strings()), ("rejected", strings())];
    let expected = [
        text(" 1+1 =\n", " 2\n\n", "\t3 "),
        text("", "größer\u{0}\u{feff}", " "),
        text("p", "\"\\[{,}]", "]"),
    ];
    let reason = "columns `prompt`, `chosen` and `rejected` hold strings";
    check(&columns, &raw, PairFormat::Explicit, reason, &expected);
}

#[test]
fn reads_every_arrow_string_type() {
    let raw = [
        json!({"prompt": "a", "chosen": "b", "rejected": "c"}),
        json!({"prompt": "a", "chosen": "d", "rejected": "e"}),
    ];
    let dictionary = |key| DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
    let types = [
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary(DataType::Int8),
        dictionary(DataType::UInt32),
        DataType::Binary,
        DataType::BinaryView,
    ];
    for data_type in types {
        let columns = ["prompt", "chosen", "rejected"].map(|name| (name, data_type.clone()));
        let reason = "columns `prompt`, `chosen` and `rejected` hold strings";
        check(&columns, &raw, PairFormat::Explicit, reason, &[text("a", "b", "c"), text("a", "d", "e")]);
    }
}

#[test]
fn splits_conversations_without_a_prompt_between_messages() {
    // Both answers begin with the same words, and still belong to the responses as a whole.
    let raw = [json!({
        "chosen": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "The sun"}],
        "rejected": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "The moon"}],
    })];
    let turns = list_of(message("role", "content"));
    let expected = chat(
        &[turn("system", "s"), turn("user", "q")],
        &[turn("assistant", "The sun")],
        &[turn("assistant", "The moon")],
    );
    let reason = "columns `chosen` and `rejected` hold lists of {role, content} and there is no `prompt`";
    check(
        &[("chosen", turns.clone()), ("rejected", turns)],
        &raw,
        PairFormat::Conversational,
        reason,
        &[expected],
    );
}

#[test]
fn takes_a_list_of_messages_as_the_prompt() {
    let raw = [
        json!({"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "a"}],
               "rejected": [{"role": "assistant", "content": "b"}]}),
        // Both sides repeat the prompt: the copies go.
        json!({"prompt": [{"role": "user", "content": "q"}],
               "chosen": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
               "rejected": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}]}),
    ];
    let expected = chat(&[turn("user", "q")], &[turn("assistant", "a")], &[turn("assistant", "b")]);
    for outer in [list_of as fn(DataType) -> DataType, large_list_of] {
        let columns = ["prompt", "chosen", "rejected"].map(|name| (name, outer(message("role", "content"))));
        let reason =
            "columns `chosen` and `rejected` hold lists of {role, content} and `prompt` holds such a list";
        check(&columns, &raw, PairFormat::Conversational, reason, &[expected.clone(), expected.clone()]);
    }
}

fn large_list_of(item: DataType) -> DataType {
    DataType::LargeList(Arc::new(Field::new_list_field(item, true)))
}

#[test]
fn reads_the_layout_of_ultrafeedback_binarized() {
    let raw = [
        // The prompt string is repeated by the first turns.
        json!({"prompt": "q", "chosen": [{"content": "q", "role": "user"}, {"content": "a", "role": "assistant"}],
               "rejected": [{"content": "q", "role": "user"}, {"content": "b", "role": "assistant"}]}),
        // It is not.
        json!({"prompt": "q", "chosen": [{"content": "s", "role": "system"}, {"content": "a", "role": "assistant"}],
               "rejected": [{"content": "s", "role": "system"}, {"content": "b", "role": "assistant"}]}),
    ];
    let turns = list_of(message("content", "role"));
    let columns = [("prompt", strings()), ("chosen", turns.clone()), ("rejected", turns)];
    let sides = ([turn("assistant", "a")], [turn("assistant", "b")]);
    let expected = [
        chat(&[turn("user", "q")], &sides.0, &sides.1),
        chat(&[turn("system", "s"), turn("user", "q")], &sides.0, &sides.1),
    ];
    let reason = "columns `chosen` and `rejected` hold lists of {role, content} and `prompt` holds a string";
    check(&columns, &raw, PairFormat::Conversational, reason, &expected);
}

#[test]
fn splits_transcripts_behind_the_last_assistant_of_the_chosen_one() {
    let raw = [
        json!({"chosen": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: yes ", "rejected": "\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant: no"}),
        json!({"chosen": "\n\nHuman: q\n\nAssistant: yes", "rejected": "\n\nHuman: q\n\nAssistant: no\n\nHuman: r\n\nAssistant: no"}),
    ];
    let expected = [
        text("\n\nHuman: q\n\nAssistant: a\n\nHuman: r\n\nAssistant:", " yes ", " no"),
        text("\n\nHuman: q\n\nAssistant:", " yes", " no\n\nHuman: r\n\nAssistant: no"),
    ];
    let reason = "columns `chosen` and `rejected` hold strings that start with `\\n\\nHuman:` and there is no `prompt`";
    check(&[("chosen", strings()), ("rejected", strings())], &raw, PairFormat::Transcript, reason, &expected);
}

#[test]
fn reads_sharegpt_with_and_without_a_system_column() {
    let raw = [
        json!({"conversations": [{"from": "human", "value": "q"}], "system": "be kind",
               "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}),
        json!({"conversations": [{"from": "system", "value": "own"}, {"from": "human", "value": "q"}], "system": "be kind",
               "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}),
        json!({"conversations": [{"from": "human", "value": "q"}], "system": null,
               "chosen": {"from": "gpt", "value": "a"}, "rejected": {"from": "gpt", "value": "b"}}),
    ];
    let one = message("from", "value");
    let columns = [
        ("conversations", list_of(one.clone())),
        ("system", strings()),
        ("chosen", one.clone()),
        ("rejected", one),
    ];
    let sides = ([turn("assistant", "a")], [turn("assistant", "b")]);
    let with = |prompt: &[Message]| chat(prompt, &sides.0, &sides.1);
    let expected = [
        with(&[turn("system", "be kind"), turn("user", "q")]),
        with(&[turn("system", "own"), turn("user", "q")]),
        with(&[turn("user", "q")]),
    ];
    let reason =
        "column `conversations` holds a list of messages, and `chosen` and `rejected` hold {from, value}";
    check(&columns, &raw, PairFormat::ShareGpt, reason, &expected);
}

#[test]
fn reads_ids_of_every_integer_type() {
    let raw = [json!({"prompt_ids": [1, 2], "chosen_ids": [3, 4], "rejected_ids": [5, 6]})];
    let expected =
        PairContent::Tokens { prompt_ids: vec![1, 2], chosen_ids: vec![3, 4], rejected_ids: vec![5, 6] };
    let types = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ];
    let fixed = DataType::FixedSizeList(Arc::new(Field::new_list_field(DataType::Int32, true)), 2);
    for ids in types.map(list_of).into_iter().chain([large_list_of(DataType::Int64), fixed]) {
        let columns = ["prompt_ids", "chosen_ids", "rejected_ids"].map(|name| (name, ids.clone()));
        let reason = "columns `prompt_ids`, `chosen_ids` and `rejected_ids` hold lists of integers";
        check(&columns, &raw, PairFormat::Tokenized, reason, std::slice::from_ref(&expected));
    }
}

#[test]
fn writes_what_it_reads_in_each_form_and_container() {
    let long = "x".repeat(3000);
    let text_pairs: Vec<_> =
        (0..2500).map(|i| text(&format!("{i}\n"), &format!(" {long}"), " \"no\"\u{1f600}")).collect();
    let chats = vec![
        chat(&[turn("system", ""), turn("user", "q")], &[turn("assistant", "a")], &[turn("assistant", "b")]),
        chat(
            &[turn("user", "r")],
            &[turn("assistant", "c")],
            &[turn("assistant", "")].map(|m| turn("assistant", &format!("{}d", m.content))),
        ),
    ];
    let ids = vec![
        PairContent::Tokens { prompt_ids: vec![], chosen_ids: vec![u32::MAX], rejected_ids: vec![0, 1] },
        PairContent::Tokens { prompt_ids: vec![7; 5], chosen_ids: vec![1], rejected_ids: vec![2] },
    ];
    let dir = tempfile::tempdir().unwrap();
    for pairs in [text_pairs, chats, ids] {
        for name in ["new/folder/a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"] {
            let path = dir.path().join(name);
            assert_eq!(write_pairs(&path, &pairs).unwrap(), pairs.len() as u64);
            assert_eq!(contents(&rows(&path)), pairs, "{name}");
        }
        let path = dir.path().join("b.jsonl");
        write_pairs_jsonl(&path, pairs.iter().cloned()).unwrap();
        assert_eq!(contents(&rows(&path)), pairs);
        let path = dir.path().join("b.parquet");
        write_pairs_parquet(&path, &pairs).unwrap();
        assert_eq!(contents(&rows(&path)), pairs);
    }
}

#[test]
fn a_failed_write_leaves_the_old_file_and_no_temporary_one() {
    let dir = tempfile::tempdir().unwrap();
    let mixed = [
        text("p", "a", "b"),
        PairContent::Tokens { prompt_ids: vec![], chosen_ids: vec![1], rejected_ids: vec![2] },
    ];
    for name in ["a.jsonl", "a.parquet"] {
        let path = dir.path().join(name);
        std::fs::write(&path, "old").unwrap();
        let error = write_pairs(&path, &mixed).unwrap_err();
        assert!(
            error.to_string().starts_with("cannot write a tokenized pair behind explicit pairs"),
            "{error}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    let error = write_pairs(&dir.path().join("a.csv"), &mixed).unwrap_err();
    assert!(matches!(error, sepo_data::DataError::UnwritableExtension { .. }));
}
