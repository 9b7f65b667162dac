//! The built-in tokenizer: the same bytes each time, each word one token, nothing unknown.

use std::collections::BTreeSet;

use sepo_data::Span;
use sepo_data::planted::{
    BOS_TOKEN, EOS_TOKEN, PAD_TOKEN, PlantedConfig, PlantedError, VOCAB_SIZE, base_texts, decisive_mask,
    planted_pairs, train_tokenizer, write_tokenizer,
};
use tokenizers::Tokenizer;

fn texts(n: usize) -> Vec<String> {
    base_texts(n, 0).iter().map(|text| text.text()).collect()
}

fn tokenizer() -> Tokenizer {
    train_tokenizer(texts(2000), VOCAB_SIZE).expect("a tokenizer of the built-in texts")
}

fn json(tokenizer: &Tokenizer) -> String {
    tokenizer.to_string(false).expect("a tokenizer as JSON")
}

#[test]
fn training_gives_the_same_bytes_every_time() {
    let first = json(&tokenizer());
    assert!((0..4).all(|_| json(&tokenizer()) == first));
    let mut turned = texts(2000);
    turned.reverse();
    assert!(json(&train_tokenizer(turned, VOCAB_SIZE).unwrap()) == first, "the order of texts matters");
    // The hash compares processes too: the trainer's maps are seeded anew in each. It changes with the library's file format.
    assert_eq!(blake3::hash(first.as_bytes()).to_hex()[..16], *"0cf2fdaad07d7cf4");
    // A training that is cut off must choose between merges of equal count.
    let small = || json(&train_tokenizer(texts(200), 500).unwrap());
    assert!((0..4).all(|_| small() == small()));
}

/// The words of a text, each with the space before it where there is one.
fn words(text: &str) -> BTreeSet<String> {
    let spaced = text.replace(['.', '?', ':', '\n'], "\n").replace(' ', "\n ");
    spaced.split('\n').filter(|word| !word.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn each_word_is_one_token() {
    let tokenizer = tokenizer();
    let n_tokens = tokenizer.get_vocab_size(true);
    assert!(n_tokens < VOCAB_SIZE, "training was cut off at {n_tokens} tokens");
    let pairs = planted_pairs(&PlantedConfig { n_pairs: 3000, seed: 1, ..PlantedConfig::default() });
    let text: String =
        pairs.flat_map(|pair| [pair.prompt, pair.chosen.text, "\n".to_owned(), pair.rejected.text]).collect();
    let words = words(&text);
    println!("{} words, {n_tokens} tokens", words.len());
    assert!(words.len() > 200);
    for word in words {
        let encoding = tokenizer.encode(word.as_str(), false).unwrap();
        assert_eq!(encoding.len(), 1, "{word:?}: {:?}", encoding.get_tokens());
    }
}

#[test]
fn texts_come_back_and_split_at_the_boundary() {
    let tokenizer = tokenizer();
    for text in base_texts(300, 9) {
        let whole = tokenizer.encode(text.text(), true).unwrap();
        assert_eq!(tokenizer.decode(whole.get_ids(), true).unwrap(), text.text());
        let prompt = tokenizer.encode(text.prompt.as_str(), true).unwrap();
        let response = tokenizer.encode(text.response.text.as_str(), false).unwrap();
        assert_eq!(whole.get_ids(), [prompt.get_ids(), response.get_ids()].concat());
    }
    for text in ["Grüße, 世界! \u{1F980}\t\n  x1<>", "", " "] {
        let ids = tokenizer.encode(text, false).unwrap();
        assert_eq!(tokenizer.decode(ids.get_ids(), true).unwrap(), text);
    }
}

#[test]
fn each_planted_span_has_one_decisive_token() {
    let tokenizer = tokenizer();
    let byte = |at: usize| u32::try_from(at).unwrap();
    for pair in planted_pairs(&PlantedConfig { n_pairs: 200, seed: 2, ..PlantedConfig::default() }) {
        for side in [&pair.chosen, &pair.rejected] {
            let encoding = tokenizer.encode(side.text.as_str(), false).unwrap();
            let offsets = encoding.get_offsets().iter();
            let spans: Vec<Span> =
                offsets.map(|(start, end)| Span { start: byte(*start), end: byte(*end) }).collect();
            let marked: Vec<_> = decisive_mask(&spans, side).into_iter().flatten().collect();
            let planted: Vec<_> = side.spans.iter().map(|span| span.quality).collect();
            assert_eq!(marked, planted);
        }
    }
}

#[test]
fn the_files_open_again() {
    let dir = tempfile::tempdir().unwrap();
    let tokenizer = tokenizer();
    write_tokenizer(&tokenizer, dir.path()).unwrap();
    let opened = Tokenizer::from_file(dir.path().join("tokenizer.json")).unwrap();
    assert!(json(&opened) == json(&tokenizer));
    for (id, token) in (0..).zip([BOS_TOKEN, EOS_TOKEN, PAD_TOKEN]) {
        assert_eq!(opened.token_to_id(token), Some(id));
    }
    assert_eq!(opened.encode("a", true).unwrap().get_ids()[0], 0);
    let config = std::fs::read_to_string(dir.path().join("tokenizer_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["tokenizer_class"], "PreTrainedTokenizerFast");
    assert_eq!(config["eos_token"], EOS_TOKEN);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else is left behind");
}

#[test]
fn what_cannot_be_done_is_said() {
    let refused = train_tokenizer(texts(1), 100);
    assert!(matches!(refused, Err(PlantedError::VocabTooSmall { vocab_size: 100, minimum: 259 })));
    let missing = tempfile::tempdir().unwrap().path().join("missing");
    assert!(matches!(write_tokenizer(&tokenizer(), &missing), Err(PlantedError::Write { .. })));
}
