//! Small tokenizers trained on the spot, in model folders of their own.

use std::collections::BTreeMap;
use std::path::Path;

use sepo_data::{Bos, Message, PairContent, PairTokenizer, PreferencePair, TokenizeConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

const CORPUS: [&str; 8] = [
    "the quick brown fox jumps over the lazy dog",
    "the weather is fine and the answer is yes",
    "Human: how are you today? Assistant: I am fine, thanks.",
    "a  b   c    d\n\nnew lines\nand more\n\nnew lines",
    "日本語の文 日本の語 日本語",
    "emoji 😀 😀😀 and 👩‍👩‍👧 and café naïve",
    "numbers 123 456 1234567890 3.14",
    "the end the end the end",
];

/// What the tokenizer does besides BPE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GPT-2's bytes.
    ByteLevel,
    /// The same, putting a space before every text.
    ByteLevelPrefixSpace,
    /// The same without, after NFC.
    ByteLevelNfc,
    /// SentencePiece's bytes; a normalizer puts `▁` before every text.
    Prepend,
    /// SentencePiece's bytes; a pre-tokenizer puts `▁` before every text.
    Metaspace,
}

pub(crate) const KINDS: [Kind; 5] =
    [Kind::ByteLevel, Kind::ByteLevelPrefixSpace, Kind::ByteLevelNfc, Kind::Prepend, Kind::Metaspace];

/// A model folder with a tokenizer, `<s>` and `</s>`, and a template where one is given.
pub(crate) fn model_dir(kind: Kind, template: Option<&str>) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tokenizer.json"), tokenizer_json(kind).to_string()).unwrap();
    let mut config = json!({"bos_token": "<s>", "eos_token": {"content": "</s>"}});
    if let Some(template) = template {
        config["chat_template"] = template.into();
    }
    std::fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    dir
}

pub(crate) fn tokenizer(kind: Kind, config: &TokenizeConfig) -> PairTokenizer {
    PairTokenizer::from_model_dir(model_dir(kind, None).path(), config).unwrap()
}

fn tokenizer_json(kind: Kind) -> Value {
    let mut tokenizer = Tokenizer::new(BPE::default());
    if matches!(kind, Kind::ByteLevel | Kind::ByteLevelNfc | Kind::ByteLevelPrefixSpace) {
        let byte_level = ByteLevel::new(kind == Kind::ByteLevelPrefixSpace, true, true);
        tokenizer.with_pre_tokenizer(Some(byte_level)).with_decoder(Some(byte_level));
        let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
            .vocab_size(420)
            .show_progress(false)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(specials())
            .build()
            .into();
        tokenizer.train(&mut trainer, CORPUS.iter()).unwrap();
        let mut json = serde_json::to_value(&tokenizer).unwrap();
        if kind == Kind::ByteLevelNfc {
            json["normalizer"] = json!({"type": "NFC"});
        }
        return json;
    }
    // Words with their space in front, as SentencePiece sees them; CJK and emoji stay outside the vocabulary.
    let words = CORPUS.iter().filter(|line| line.is_ascii()).flat_map(|line| line.split_whitespace());
    let words: Vec<String> = words.map(|word| format!("▁{word}")).collect();
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(160)
        .show_progress(false)
        .special_tokens(specials())
        .build()
        .into();
    tokenizer.train(&mut trainer, words.iter()).unwrap();
    let mut json = serde_json::to_value(&tokenizer).unwrap();
    with_byte_tokens(&mut json["model"]);
    match kind {
        Kind::Metaspace => {
            let part =
                json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
            json["pre_tokenizer"] = part.clone();
            json["decoder"] = part;
        }
        _ => {
            json["normalizer"] = json!({"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ]});
            json["decoder"] = json!({"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"},
            ]});
        }
    }
    json
}

fn specials() -> Vec<AddedToken> {
    ["<unk>", "<s>", "</s>"].map(|token| AddedToken::from(token, true)).to_vec()
}

fn with_byte_tokens(model: &mut Value) {
    model["byte_fallback"] = true.into();
    model["unk_token"] = "<unk>".into();
    let vocab = model["vocab"].as_object_mut().unwrap();
    let first = vocab.values().filter_map(Value::as_u64).max().unwrap() + 1;
    let bytes: BTreeMap<_, _> = (0..256u64).map(|b| (format!("<0x{b:02X}>"), first + b)).collect();
    vocab.extend(bytes.into_iter().map(|(token, id)| (token, id.into())));
}

pub(crate) fn wide() -> TokenizeConfig {
    let mut config = TokenizeConfig { bos: Bos::Always, ..TokenizeConfig::default() };
    config.truncation.max_length = 1 << 20;
    config
}

pub(crate) fn pair(content: PairContent) -> PreferencePair {
    PreferencePair { row: 7, file: std::sync::Arc::new("pairs.jsonl".into()), file_row: 7, content }
}

pub(crate) fn text(prompt: &str, chosen: &str, rejected: &str) -> PreferencePair {
    pair(PairContent::Text { prompt: prompt.into(), chosen: chosen.into(), rejected: rejected.into() })
}

pub(crate) fn chat(prompt: &str, chosen: &str, rejected: &str) -> PreferencePair {
    let turn = |role: &str, content: &str| vec![Message { role: role.into(), content: content.into() }];
    pair(PairContent::Chat {
        prompt: turn("user", prompt),
        chosen: turn("assistant", chosen),
        rejected: turn("assistant", rejected),
    })
}

/// The folder with real tokenizers, where it is there.
pub(crate) fn shared(path: &str) -> Option<std::path::PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}
