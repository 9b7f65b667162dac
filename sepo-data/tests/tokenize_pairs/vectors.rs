//! Real tokenizers give the ids that the Python library gives, and spans that agree with its offsets.

use crate::fixture::{pair, shared, text, wide};
use sepo_data::{Bos, Eos, PairContent, PairTokenizer, PreferencePair, Span};
use serde_json::Value;

struct Row {
    text: String,
    ids: Vec<u32>,
    offsets: Vec<(usize, usize)>,
}

fn rows(name: &str) -> Option<(PairTokenizer, tokenizers::Tokenizer, Vec<Row>)> {
    let vectors = shared(&format!("vectors/tokenizer_{name}.json"))?;
    let dir = shared(&format!("tokenizers/{name}"))?;
    let mut config = wide();
    config.eos = Eos::Never;
    config.bos_token = Some("<|endoftext|>".into());
    let tokenizer = PairTokenizer::from_model_dir(&dir, &config).unwrap();
    let raw = tokenizers::Tokenizer::from_file(dir.join("tokenizer.json")).unwrap();
    let vectors: Value = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let row = |row: &Value| Row {
        text: row["text"].as_str().unwrap().into(),
        ids: serde_json::from_value(row["ids"].clone()).unwrap(),
        offsets: serde_json::from_value(row["offsets_chars"].clone()).unwrap(),
    };
    Some((tokenizer, raw, vectors["rows"].as_array().unwrap().iter().map(row).collect()))
}

/// The response alone after a beginning-of-sequence token.
fn alone(row: &Row) -> PreferencePair {
    match text("", &row.text, &format!("{} no", row.text)).content {
        content @ PairContent::Text { .. } => pair(content),
        _ => unreachable!(),
    }
}

/// The span widened to whole characters, counted in characters.
fn in_chars(text: &str, span: Span) -> (usize, usize) {
    let start = (0..=span.start as usize).rev().find(|b| text.is_char_boundary(*b)).unwrap();
    let end = (span.end as usize..).find(|b| text.is_char_boundary(*b)).unwrap();
    (text[..start].chars().count(), text[..end].chars().count())
}

fn agrees(name: &str, trims: bool) {
    let Some((tokenizer, raw, rows)) = rows(name) else { return };
    assert!(rows.len() > 5);
    for row in &rows {
        let encoding = raw.encode_char_offsets(row.text.as_str(), false).unwrap();
        assert_eq!(encoding.get_ids(), row.ids, "{:?}", row.text);
        assert_eq!(encoding.get_offsets(), row.offsets, "{:?}", row.text);
        let bos = tokenizer.special_tokens().bos.unwrap().id;
        let ids = tokenizer.encode_text(&row.text, Eos::Never).unwrap();
        let starts_with_bos = row.ids.first() == Some(&bos);
        assert_eq!(ids[usize::from(!starts_with_bos)..], row.ids, "{:?}", row.text);
        let Ok(encoded) = tokenizer.encode(&alone(row)) else {
            assert!(row.text.is_empty() || row.text == "<|endoftext|>", "{:?}", row.text);
            continue;
        };
        let chosen = encoded.pair.chosen;
        if starts_with_bos || chosen.ids.len() < row.ids.len() {
            continue; // a special token begins or ends the text
        }
        assert_eq!(chosen.ids, row.ids);
        for (span, &(start, end)) in chosen.spans.unwrap().into_iter().zip(&row.offsets) {
            let ours = in_chars(&row.text, span);
            if trims {
                assert!(ours.0 <= start && end <= ours.1, "{:?} {ours:?} {:?}", row.text, (start, end));
            } else {
                assert_eq!(ours, (start, end), "{:?}", row.text);
            }
        }
    }
}

#[test]
fn gpt_neox_agrees() {
    agrees("gpt-neox-20b", true);
}

#[test]
fn minimind_agrees() {
    agrees("minimind", false);
}

#[test]
fn qwen_agrees() {
    agrees("qwen2.5", false);
}

#[test]
fn a_sentencepiece_model_gets_its_bos_and_no_invented_space() {
    let Some(dir) = shared("models/stories260K") else { return };
    let mut config = wide();
    config.bos = Bos::Auto;
    let tokenizer = PairTokenizer::from_model_dir(&dir, &config).unwrap();
    assert!(tokenizer.adds_bos());
    assert_eq!(tokenizer.special_tokens().bos.unwrap().id, 1);
    // "once" and "upon" are split inside a word here, so the response is tokenized on its own.
    let encoded = tokenizer.encode(&text("Once up", "on a time é.", "in the sky.")).unwrap();
    let bytes = |ids: &[u32]| -> Vec<u8> {
        ids.iter().flat_map(|id| tokenizer.token_bytes(*id).unwrap().to_vec()).collect()
    };
    assert_eq!(encoded.pair.prompt_ids[0], 1);
    assert_eq!(bytes(&encoded.pair.prompt_ids[1..]), b" Once up");
    let (eos, chosen) = encoded.pair.chosen.ids.split_last().unwrap();
    assert_eq!(*eos, 2);
    assert_eq!(bytes(chosen), "on a time é.".as_bytes());
}

#[test]
fn qwen_ends_where_the_turn_ends() {
    let Some(dir) = shared("tokenizers/qwen2.5") else { return };
    let mut config = wide();
    config.bos = Bos::Auto;
    let tokenizer = PairTokenizer::from_model_dir(&dir, &config).unwrap();
    assert!(!tokenizer.adds_bos());
    let encoded = tokenizer.encode(&crate::fixture::chat("Hi", "Yes.", "No.")).unwrap();
    let end = tokenizer.special_tokens().eos.unwrap().id;
    assert_eq!(tokenizer.token_text(end).unwrap(), "<|im_end|>");
    assert_eq!(encoded.pair.chosen.ids.iter().filter(|id| **id == end).count(), 1);
    assert_eq!(encoded.pair.chosen.ids.last(), Some(&end));
    assert_eq!(encoded.notes.chosen.n_dropped_bytes, 1);
    assert!(tokenizer.decode(&encoded.pair.prompt_ids).unwrap().ends_with("<|im_start|>assistant\n"));
    assert_eq!(tokenizer.decode(&encoded.pair.chosen.ids).unwrap(), "Yes.<|im_end|>");
}
