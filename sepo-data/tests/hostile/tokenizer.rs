//! `tokenizer.json` that contradicts itself.

use std::path::Path;

use sepo_data::{Eos, PairContent, PairTokenizer, PreferencePair, SkipReason, TokenizeConfig, TokenizeError};
use serde_json::{Value, json};

use crate::reading::told;

/// Byte pairs over a few letters.
fn tokenizer(parts: Value) -> Value {
    let mut tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null,
        "added_tokens": [{"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}],
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": {"<s>": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]]},
    });
    for (key, value) in parts.as_object().unwrap() {
        tokenizer[key] = value.clone();
    }
    tokenizer
}

fn load(dir: &Path, tokenizer: &Value) -> Result<PairTokenizer, TokenizeError> {
    std::fs::write(dir.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let config = json!({"bos_token": "<s>", "add_bos_token": true});
    std::fs::write(dir.join("tokenizer_config.json"), config.to_string()).unwrap();
    let config = TokenizeConfig { eos: Eos::Never, ..TokenizeConfig::default() };
    PairTokenizer::from_model_dir(dir, &config)
}

/// Found by fuzzing: the library takes as many bytes off a token as the prefix has.
#[test]
fn a_prefix_longer_than_a_token_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut contradiction = tokenizer(json!({}));
    contradiction["model"]["continuing_subword_prefix"] = json!("longer than b");
    let message = told(&load(dir.path(), &contradiction).unwrap_err(), dir.path());
    assert!(
        message.starts_with("load the tokenizer of tokenizer.json: tokenizer.json contradicts itself ("),
        "{message}"
    );
    assert!(message.ends_with("; take another copy of it"), "{message}");
}

/// Found by fuzzing: letters that a vocabulary lacks may be dropped, and a response be no token at all.
#[test]
fn a_response_without_a_token_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let tokenizer = load(dir.path(), &tokenizer(json!({}))).unwrap();
    let pair = |prompt: &str, chosen: &str, rejected: &str| {
        let [prompt, chosen, rejected] = [prompt, chosen, rejected].map(str::to_owned);
        let content = PairContent::Text { prompt, chosen, rejected };
        PreferencePair { row: 0, file: Default::default(), file_row: 0, content }
    };
    assert!(tokenizer.encode(&pair("a", "ab", "b")).is_ok());
    for (prompt, chosen, rejected) in [("", "z", "ab"), ("", "ab", "z"), ("a", "z", "b"), ("z", "z", "z")] {
        let skipped = tokenizer.encode(&pair(prompt, chosen, rejected));
        assert!(
            matches!(skipped, Err(SkipReason::EmptySide { .. })),
            "{prompt} {chosen} {rejected}: {skipped:?}"
        );
    }
}

#[test]
fn normalizers_that_make_a_text_grow_without_measure_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let step = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let bomb = tokenizer(json!({"normalizer": {"type": "Sequence", "normalizers": vec![step; 40]}}));
    assert_eq!(
        told(&load(dir.path(), &bomb).unwrap_err(), dir.path()),
        "the normalizers of tokenizer.json can make a text 1099511627776 times as long, expected at most 1024 times; \
         take another copy of it"
    );
}

#[test]
fn an_id_of_four_billion_takes_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let mut far = tokenizer(json!({}));
    far["model"]["vocab"]["far"] = json!(u32::MAX);
    if let Ok(tokenizer) = load(dir.path(), &far) {
        assert_eq!(tokenizer.token_bytes(u32::MAX), None);
    }
}
