//! JSON lines and Parquet of the same rows read the same, whatever the rows hold.

#![expect(clippy::unwrap_used, reason = "what cannot be set up fails the test that asks for it")]

#[expect(dead_code, reason = "shared by several test binaries, each of which uses a part")]
mod format_fixture;

use arrow::datatypes::DataType;
use format_fixture::{CONTAINERS, list_of, message, rows_with, strings, write};
use proptest::prelude::*;
use sepo_data::format::write_pairs;
use sepo_data::{PairContent, PairFormat, PairRow, ReadConfig};
use serde_json::{Map, Value, json};

/// Rows without their file, which differs by container.
fn outcome(rows: Vec<PairRow>) -> Vec<Result<(u64, PairContent), String>> {
    let row = |row| match row {
        PairRow::Pair(pair) => Ok((pair.row, pair.content)),
        PairRow::Bad(bad) => Err(format!("{} {}", bad.row, bad.reason)),
    };
    rows.into_iter().map(row).collect()
}

/// JSON leaves a key out where Arrow has a null; both mean the same, but not to the reason.
fn text() -> impl Strategy<Value = Value> {
    prop_oneof![4 => "\\PC{0,6}".prop_map(Value::from), 1 => Just(json!("\n\nHuman: a\n\nAssistant:")), 1 => Just(Value::Null)]
}

fn turn(role: &'static str, content: &'static str) -> impl Strategy<Value = Value> {
    let role_value = prop_oneof![Just("user"), Just("assistant"), Just("system"), Just("human"), Just("gpt")];
    (role_value, "[a-c]{0,2}").prop_map(move |(from, text)| json!({role: from, content: text}))
}

fn turns(role: &'static str, content: &'static str) -> impl Strategy<Value = Value> {
    prop::collection::vec(turn(role, content), 0..4).prop_map(Value::from)
}

fn ids() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => prop::collection::vec(0_i64..5_000_000_000, 0..3).prop_map(Value::from),
        1 => Just(json!([-1])),
        1 => Just(Value::Null)
    ]
}

fn object(names: &[&str], values: Vec<Value>) -> Value {
    Value::Object(names.iter().map(|name| (*name).to_owned()).zip(values).collect::<Map<_, _>>())
}

fn rows_of(names: [&'static str; 3], values: [BoxedStrategy<Value>; 3]) -> impl Strategy<Value = Vec<Value>> {
    let row = values.prop_map(move |values| object(&names, values.to_vec()));
    prop::collection::vec(row, 1..8)
}

fn same_in_every_container(columns: &[(&str, DataType)], raw: &[Value], format: PairFormat) {
    let dir = tempfile::tempdir().unwrap();
    let config = ReadConfig { format: Some(format), ..ReadConfig::default() };
    let mut expected = None;
    for container in CONTAINERS {
        let path = dir.path().join(format!("a.{container}"));
        write(&path, columns, raw);
        let found = outcome(rows_with(&path, &config));
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "{container}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_reads_the_same(
        raw in rows_of(["prompt", "chosen", "rejected"], [text().boxed(), text().boxed(), text().boxed()])
    ) {
        let columns = ["prompt", "chosen", "rejected"].map(|name| (name, strings()));
        same_in_every_container(&columns, &raw, PairFormat::Explicit);
        same_in_every_container(&columns, &raw, PairFormat::Transcript);
    }

    #[test]
    fn conversations_read_the_same(
        raw in rows_of(["prompt", "chosen", "rejected"], [
            turns("role", "content").boxed(), turns("role", "content").boxed(), turns("role", "content").boxed()
        ])
    ) {
        let columns = ["prompt", "chosen", "rejected"].map(|name| (name, list_of(message("role", "content"))));
        same_in_every_container(&columns, &raw, PairFormat::Conversational);
    }

    #[test]
    fn sharegpt_reads_the_same(
        raw in rows_of(["conversations", "chosen", "rejected"], [
            turns("from", "value").boxed(), turn("from", "value").boxed(), turn("from", "value").boxed()
        ])
    ) {
        let one = message("from", "value");
        let columns = [("conversations", list_of(one.clone())), ("chosen", one.clone()), ("rejected", one)];
        same_in_every_container(&columns, &raw, PairFormat::ShareGpt);
    }

    #[test]
    fn ids_read_the_same(raw in rows_of(["prompt_ids", "chosen_ids", "rejected_ids"], [ids().boxed(), ids().boxed(), ids().boxed()])) {
        let columns = ["prompt_ids", "chosen_ids", "rejected_ids"].map(|name| (name, list_of(DataType::Int64)));
        same_in_every_container(&columns, &raw, PairFormat::Tokenized);
    }

    #[test]
    fn what_is_written_is_read_back(strings in prop::collection::vec(any::<(String, String, String)>(), 1..10)) {
        let pairs: Vec<_> = strings.into_iter()
            .filter(|(_, chosen, rejected)| chosen != rejected && !chosen.is_empty() && !rejected.is_empty())
            .map(|(prompt, chosen, rejected)| PairContent::Text { prompt, chosen, rejected })
            .collect();
        prop_assume!(!pairs.is_empty());
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.jsonl", "a.parquet"] {
            let path = dir.path().join(name);
            write_pairs(&path, &pairs).unwrap();
            let found = outcome(rows_with(&path, &ReadConfig::default()));
            let expected: Vec<_> = pairs.iter().enumerate().map(|(row, pair)| Ok((row as u64, pair.clone()))).collect();
            assert_eq!(found, expected);
        }
    }
}
