//! Real pairs through real tokenizers.

use sepo_data::{
    Bos, Eos, PairContent, PairTokenizer, PreferencePair, TemplateChoice, TextHandling, TokenizeConfig,
};
use serde_json::Value;

use crate::fixture::{shared, text, wide};

const FILES: [&str; 4] =
    ["hh-harmless-base-test", "llamafactory-dpo_en", "llmbar-Natural", "ultrafeedback-processed-eval_clean"];

fn pairs(n_per_file: usize) -> Option<Vec<PreferencePair>> {
    let mut pairs = Vec::new();
    for file in FILES {
        let lines = std::fs::read_to_string(shared(&format!("data/pairs/{file}.jsonl"))?).unwrap();
        for line in lines.lines().take(n_per_file) {
            let row: Value = serde_json::from_str(line).unwrap();
            if let [Some(prompt), Some(chosen), Some(rejected)] =
                ["prompt", "chosen", "rejected"].map(|key| row[key].as_str())
            {
                let mut pair = text(prompt, chosen, rejected);
                pair.row = pairs.len() as u64;
                pairs.push(pair);
            }
        }
    }
    assert!(pairs.len() > n_per_file);
    Some(pairs)
}

/// Prefix, spans and counts of every pair.
fn holds(dir: &str, config: &TokenizeConfig) {
    let (Some(pairs), Some(dir)) = (pairs(60), shared(dir)) else { return };
    let tokenizer = PairTokenizer::from_model_dir(&dir, config).unwrap();
    let mut stream = tokenizer.encode_stream(pairs.clone());
    for result in stream.by_ref() {
        let pair = match result {
            Ok(pair) => pair,
            Err(skipped) => {
                let kind = skipped.reason.kind();
                assert!(["identical-sides", "empty-side"].contains(&kind), "{skipped}: {kind}");
                continue;
            }
        };
        let texts = tokenizer.texts(&pairs[usize::try_from(pair.row).unwrap()]).unwrap().unwrap();
        assert_eq!(pair.prompt_ids, tokenizer.encode_text(&texts.prompt, Eos::Never).unwrap());
        for (side, text) in [(pair.chosen, texts.chosen), (pair.rejected, texts.rejected)] {
            let spans = side.spans.unwrap();
            let bytes: Vec<u8> = side
                .ids
                .iter()
                .zip(&spans)
                .filter(|(_, span)| span.start < span.end)
                .flat_map(|(id, _)| tokenizer.token_bytes(*id).unwrap().to_vec())
                .collect();
            if !text.as_bytes().starts_with(&bytes) {
                assert!(!text.is_ascii(), "{text:?}"); // NFC changed it
                continue;
            }
            let mut end = 0;
            for span in spans {
                assert!(span.start == end && span.end >= end, "{text:?}");
                end = span.end;
            }
            assert_eq!(end as usize, bytes.len());
        }
    }
    let report = stream.report();
    println!("{}: {}", dir.display(), serde_json::to_string(report).unwrap());
    assert!(report.n_skipped() < 12, "{report:?}");
}

#[test]
fn plain_text_holds_with_every_tokenizer() {
    let named = TokenizeConfig {
        bos_token: Some("<|endoftext|>".into()),
        eos_token: Some("<|endoftext|>".into()),
        ..wide()
    };
    holds("tokenizers/gpt-neox-20b", &named);
    holds("tokenizers/qwen2.5", &named);
    holds("tokenizers/minimind", &wide());
    holds("models/stories260K", &wide());
}

#[test]
fn conversations_hold_with_real_templates() {
    let config = TokenizeConfig { text: TextHandling::AsChat, bos: Bos::Auto, ..wide() };
    holds("tokenizers/qwen2.5", &config);
    holds("tokenizers/minimind", &config);
    holds(
        "models/stories260K",
        &TokenizeConfig { template: TemplateChoice::Builtin("plain".into()), ..config },
    );
}

#[test]
fn a_wrapped_pair_is_the_conversation() {
    let Some(dir) = shared("tokenizers/qwen2.5") else { return };
    let config = TokenizeConfig { text: TextHandling::AsChat, bos: Bos::Auto, ..wide() };
    let tokenizer = PairTokenizer::from_model_dir(&dir, &config).unwrap();
    let wrapped = text("Hi", "Yes.", "No.");
    let conversation = crate::fixture::chat("Hi", "Yes.", "No.");
    assert!(matches!(conversation.content, PairContent::Chat { .. }));
    assert_eq!(tokenizer.encode(&wrapped).unwrap(), tokenizer.encode(&conversation).unwrap());
}
