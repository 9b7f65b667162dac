//! `tokenizer_config.json` beside a valid tokenizer: special tokens, and the chat template in it at work.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::{Eos, Message, PairContent, PairTokenizer, PreferencePair, TokenizeConfig};
use sepo_fuzz::{Scratch, base, describe, json_of, watched};
use serde_json::Value;

static SCRATCH: LazyLock<Scratch> = LazyLock::new(|| {
    let scratch = Scratch::new();
    scratch.put("tokenizer.json", base::tokenizers()[1].to_string());
    scratch
});
static VALUES: LazyLock<Vec<Value>> = LazyLock::new(base::tokenizer_configs);

fn turn(role: &str, content: &str) -> Vec<Message> {
    vec![Message { role: role.to_owned(), content: content.to_owned() }]
}

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        SCRATCH.put("tokenizer_config.json", json_of(data, &VALUES));
        let config = TokenizeConfig { eos: Eos::Never, ..TokenizeConfig::default() };
        let tokenizer = match PairTokenizer::from_model_dir(SCRATCH.dir(), &config) {
            Ok(tokenizer) => tokenizer,
            Err(error) => return describe(&error),
        };
        let content =
            PairContent::Chat { prompt: turn("user", "a"), chosen: turn("assistant", "b"), rejected: turn("assistant", "a") };
        let pair = PreferencePair { row: 0, file: Default::default(), file_row: 0, content };
        if let Err(error) = tokenizer.encode(&pair) {
            describe(&error);
        }
    });
});
