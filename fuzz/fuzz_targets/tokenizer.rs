//! `tokenizer.json`: loading it, and texts to ids and back with what was loaded.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_data::{Eos, PairContent, PairTokenizer, PreferencePair, TokenizeConfig};
use sepo_fuzz::{Scratch, base, describe, json_of, watched};
use serde_json::Value;

static SCRATCH: LazyLock<Scratch> = LazyLock::new(Scratch::new);
static VALUES: LazyLock<Vec<Value>> = LazyLock::new(base::tokenizers);

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        SCRATCH.put("tokenizer.json", json_of(data, &VALUES));
        let config = TokenizeConfig { eos: Eos::Never, ..TokenizeConfig::default() };
        let tokenizer = match PairTokenizer::from_model_dir(SCRATCH.dir(), &config) {
            Ok(tokenizer) => tokenizer,
            Err(error) => return describe(&error),
        };
        for text in ["", "ab 1-c tool</s>", "▁a\n\u{0}日本é"] {
            match tokenizer.encode_text(text, Eos::Never) {
                Ok(ids) => drop(tokenizer.decode(&ids)),
                Err(error) => describe(&error),
            }
        }
        let [prompt, chosen, rejected] = ["a b", " ab", "c"].map(str::to_owned);
        let content = PairContent::Text { prompt, chosen, rejected };
        let pair = PreferencePair { row: 0, file: Default::default(), file_row: 0, content };
        if let Err(error) = tokenizer.encode(&pair) {
            describe(&error);
        }
        std::hint::black_box((tokenizer.max_id(), tokenizer.vocab_size(), tokenizer.token_text(5)));
    });
});
