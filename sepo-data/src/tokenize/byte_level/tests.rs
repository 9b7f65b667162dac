use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel as PreTokenizer;
use tokenizers::{AddedToken, Tokenizer};

use super::*;

const QWEN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// GPT-2's words, with special tokens and, as GPT-NeoX has them, tokens for several spaces.
fn json_of(change: impl FnOnce(&mut Value)) -> Value {
    let mut tokenizer = Tokenizer::new(BPE::default());
    let byte_level = PreTokenizer::new(false, true, true);
    tokenizer.with_pre_tokenizer(Some(byte_level)).with_post_processor(Some(byte_level));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(400)
        .show_progress(false)
        .initial_alphabet(PreTokenizer::alphabet().into_iter().collect())
        .special_tokens(["<s>", "</s>", "<s><s>"].map(|token| AddedToken::from(token, true)).to_vec())
        .build()
        .into();
    let text =
        "the quick brown fox's tail isn't there. I'll  say   so\n\n日本語の文 日本 café 123 4567 don't";
    tokenizer.train(&mut trainer, [text, "the end the end  there"].iter()).unwrap();
    tokenizer.add_tokens(["   ", "      ", "qu"].map(|token| AddedToken::from(token, false))).unwrap();
    let mut json = serde_json::to_value(&tokenizer).unwrap();
    change(&mut json);
    json
}

fn tokenizer(json: &Value) -> Tokenizer {
    Tokenizer::from_bytes(json.to_string().as_bytes()).unwrap()
}

fn with_words(json: &mut Value, pattern: &str) {
    json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
    ]});
}

fn tokenizers() -> Vec<Tokenizer> {
    let all = [
        json_of(|_| {}),
        json_of(|json| json["normalizer"] = json!({"type": "NFC"})),
        json_of(|json| with_words(json, QWEN)),
        json_of(|json| with_words(json, LLAMA3)),
        json_of(|json| json["model"]["ignore_merges"] = true.into()),
    ];
    all.iter().map(tokenizer).collect()
}

/// Pieces that words, spaces and added tokens are made of, in any order.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            " ", "  ", "   ", "       ", "\n", "\r\n", "\t", "\u{a0}", "\u{2003}", "\u{85}", "the", " quick", "'s", "'S",
            "'ll", "n't", "<s>", "<s><s>", "</s>", "<s", "qu", "12", "3", "٣", "½", ".", "...", "!?\n", "é", "e\u{301}",
            "日本語", "😀", "👩‍👩‍👧", "ſ", "\u{200d}", "\0", "ﬁ", "한",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn ids_and_places_are_those_of_the_library(texts in prop::collection::vec(text(), 1..4)) {
        for tokenizer in tokenizers_once() {
            let fast = ByteLevel::new(tokenizer).unwrap();
            for text in &texts {
                let slow = tokenizer.encode(text.as_str(), false).unwrap();
                let Some(found) = fast.encode(tokenizer, text) else {
                    prop_assert!(tokenizer.get_normalizer().is_some());
                    continue;
                };
                let found = found.unwrap();
                prop_assert_eq!(&found.ids[..], slow.get_ids(), "{:?}", text);
                let total: u32 = found.n_bytes.iter().sum();
                prop_assert_eq!(total as usize, text.len());
                // The library gives a piece of a character the whole character, and may leave out spaces.
                let mut start = 0;
                for (n_bytes, (from, to)) in found.n_bytes.iter().zip(slow.get_offsets()) {
                    let end = start + *n_bytes as usize;
                    prop_assert!(start < *to && *from < end || from == to, "{}..{} and {}..{}", start, end, from, to);
                    start = end;
                }
            }
        }
    }
}

fn tokenizers_once() -> &'static [Tokenizer] {
    static ALL: std::sync::OnceLock<Vec<Tokenizer>> = std::sync::OnceLock::new();
    ALL.get_or_init(tokenizers)
}

#[test]
fn a_text_that_a_normalizer_may_change_is_left_to_the_library() {
    let nfc = &tokenizers_once()[1];
    let fast = ByteLevel::new(nfc).unwrap();
    for text in ["plain", "café", "日本語 한글"] {
        assert!(fast.encode(nfc, text).is_some(), "{text}");
    }
    for text in ["cafe\u{301}", "\u{1100}\u{1161}", "\u{212b}"] {
        assert!(fast.encode(nfc, text).is_none(), "{text}");
    }
}

#[test]
fn a_text_with_a_byte_that_has_no_token_is_left_to_the_library() {
    let tokenizer = tokenizer(&json_of(|json| {
        json["model"]["vocab"].as_object_mut().unwrap().remove("Ā");
    }));
    let fast = ByteLevel::new(&tokenizer).unwrap();
    assert!(fast.encode(&tokenizer, "the end\0").is_none());
    assert!(fast.encode(&tokenizer, "the end").unwrap().is_ok());
}

#[test]
fn a_tokenizer_that_does_more_is_left_to_the_library() {
    let changes: [fn(&mut Value); 8] = [
        |json| json["normalizer"] = json!({"type": "Lowercase"}),
        |json| json["pre_tokenizer"]["add_prefix_space"] = true.into(),
        |json| json["pre_tokenizer"] = json!({"type": "Whitespace"}),
        |json| with_words(json, r"\p{L}+|\s+"),
        |json| with_words(json, r"(?<=a)b|\s+(?!\S)|\s+"),
        |json| with_words(json, r"a*|\s+(?!\S)|\s+"),
        |json| json["added_tokens"][1]["lstrip"] = true.into(),
        |json| json["added_tokens"][1]["single_word"] = true.into(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert!(ByteLevel::new(&tokenizer(&json_of(change))).is_none(), "change {index}");
    }
    assert!(ByteLevel::new(&tokenizer(&json_of(|_| {}))).is_some());
}

#[test]
fn a_cache_that_is_full_begins_anew() {
    let tokenizer = &tokenizers_once()[0];
    let fast = ByteLevel::new(tokenizer).unwrap();
    for start in [0, 20_000, 0] {
        let words: Vec<String> = (start..start + 20_000).map(|n: u32| format!("w{n:x}")).collect();
        let text = words.join(" ");
        let slow = tokenizer.encode_fast(text.as_str(), false).unwrap();
        assert_eq!(fast.encode(tokenizer, &text).unwrap().unwrap().ids, slow.get_ids());
    }
}
