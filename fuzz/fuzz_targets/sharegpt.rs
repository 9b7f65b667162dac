//! Conversations in ShareGPT's and in the conversational layout: a pair that is read, written and read again is the same.
#![no_main]

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use sepo_data::format::{content_format, write_pairs_jsonl};
use sepo_data::{PairContent, PairFormat, PairRow, ReadConfig, open_pairs};
use sepo_fuzz::{Scratch, watched};
use serde_json::{Map, Value, json};

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);

const COLUMNS: [&str; 6] = ["conversations", "chosen", "rejected", "system", "prompt", "text"];
const ROLES: [&str; 9] =
    ["human", "gpt", "user", "assistant", "system", "tool", "observation", "function_call", "x"];

fn message(u: &mut Unstructured<'_>) -> Result<Value> {
    let (who, what) =
        *u.choose(&[("from", "value"), ("role", "content"), ("from", "content"), ("role", "value")])?;
    let role = if u.ratio(1, 16)? { json!(null) } else { json!(u.choose(&ROLES)?) };
    let content = if u.ratio(1, 16)? { json!(7) } else { json!(String::arbitrary(u)?) };
    Ok(json!({who: role, what: content}))
}

fn cell(u: &mut Unstructured<'_>) -> Result<Value> {
    Ok(match u.int_in_range(0..=9u8)? {
        0 => Value::Null,
        1 => json!(String::arbitrary(u)?),
        2 => message(u)?,
        3 => json!([[message(u)?]]),
        _ => (0..u.int_in_range(0..=4usize)?).map(|_| message(u)).collect::<Result<Vec<_>>>()?.into(),
    })
}

fn row(u: &mut Unstructured<'_>) -> Result<Map<String, Value>> {
    let mut row = Map::new();
    for column in COLUMNS {
        if u.ratio(3, 4)? {
            row.insert(column.to_owned(), cell(u)?);
        }
    }
    Ok(row)
}

fn pairs(path: &std::path::Path, format: Option<PairFormat>) -> Vec<PairContent> {
    let config = ReadConfig { format, ..ReadConfig::default() };
    let Ok(rows) = open_pairs(&[path.display().to_string()], &config) else { return Vec::new() };
    let content = |row| match row {
        Ok(PairRow::Pair(pair)) => Some(pair.content),
        _ => None,
    };
    rows.filter_map(content).collect()
}

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        let mut u = Unstructured::new(data);
        let mut build = || -> Result<(Option<PairFormat>, String)> {
            let format = *u.choose(&[None, Some(PairFormat::ShareGpt), Some(PairFormat::Conversational)])?;
            let lines = (0..2).map(|_| Ok(Value::Object(row(&mut u)?).to_string() + "\n"));
            Ok((format, lines.collect::<Result<String>>()?))
        };
        let Ok((format, text)) = build() else { return };
        for content in pairs(&SCRATCH.put("x.jsonl", text), format) {
            let copy = SCRATCH.path("copy.jsonl");
            write_pairs_jsonl(&copy, [&content]).expect("what was read can be written");
            assert_eq!(pairs(&copy, Some(content_format(&content))), [content]);
        }
    });
});
