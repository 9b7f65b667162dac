//! Tokenizers of every kind that `tokenizer.json` can hold, with few tokens.

use serde_json::{Value, json};

fn added() -> Value {
    let token = |id: u32, content: &str, special: bool| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": special})
    };
    json!([token(0, "<s>", true), token(1, "</s>", true), token(2, "<unk>", true), token(3, "tool", false)])
}

fn tokenizer(model: Value, parts: Value) -> Value {
    let mut tokenizer = json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added(),
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null, "model": model});
    for (key, value) in parts.as_object().into_iter().flatten() {
        tokenizer[key] = value.clone();
    }
    tokenizer
}

fn vocabulary(words: &[&str]) -> Value {
    let mut vocabulary = json!({"<s>": 0, "</s>": 1, "<unk>": 2, "tool": 3});
    for (id, word) in (4..).zip(words) {
        vocabulary[*word] = json!(id);
    }
    vocabulary
}

/// Tokenizers, one of each model with different steps around it.
pub fn tokenizers() -> Vec<Value> {
    let bpe = |words: &[&str], merges: &[[&str; 2]], bytes: bool| {
        json!({"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": bytes, "ignore_merges": false,
            "vocab": vocabulary(words), "merges": merges})
    };
    let byte_level =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let template = json!({"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}});
    let split = json!({"type": "Split", "pattern": {"Regex": "[0-9]{1,3}| ?[a-z]+|\\s+(?!\\S)|\\s+"},
        "behavior": "Isolated", "invert": false});
    vec![
        tokenizer(
            bpe(&["a", "b", "ab", "Ġ", "Ġab", "c", "Ċ"], &[["a", "b"], ["Ġ", "ab"]], false),
            json!({"normalizer": {"type": "NFC"}, "decoder": byte_level, "post_processor": template,
                "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]}}),
        ),
        tokenizer(
            bpe(&["▁", "a", "b", "▁a", "<0x0A>", "<0xE2>", "<0x96>"], &[["▁", "a"]], true),
            json!({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
                "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"},
                    "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}}),
        ),
        tokenizer(
            json!({"type": "Unigram", "unk_id": 2, "byte_fallback": false, "vocab": [["<s>", 0.0], ["</s>", 0.0],
                ["<unk>", -9.0], ["tool", -2.0], ["▁", -1.0], ["a", -2.0], ["▁ab", -1.5], ["b", -3.0]]}),
            json!({"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
                "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
                "normalizer": {"type": "Strip", "strip_left": true, "strip_right": false}}),
        ),
        tokenizer(
            json!({"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocabulary(&["a", "##b", "ab", "##c"])}),
            json!({"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                    "strip_accents": null, "lowercase": true},
                "pre_tokenizer": {"type": "BertPreTokenizer"},
                "post_processor": {"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]},
                "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}}),
        ),
        tokenizer(
            json!({"type": "WordLevel", "unk_token": "<unk>", "vocab": vocabulary(&["a", "b", "one", "1"])}),
            json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"},
                    {"type": "Digits", "individual_digits": true}, {"type": "Punctuation", "behavior": "Isolated"},
                    {"type": "CharDelimiterSplit", "delimiter": "-"}, {"type": "UnicodeScripts"},
                    {"type": "FixedLength", "length": 4}, {"type": "WhitespaceSplit"}]},
                "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"},
                    {"type": "Lowercase"}, {"type": "Nmt"}, {"type": "ByteLevel"}]},
                "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0],
                    "trim_offsets": true, "add_prefix_space": true},
                "decoder": {"type": "CTC", "pad_token": "<unk>", "word_delimiter_token": "|", "cleanup": true},
                "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
                "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": 4, "pad_id": 0,
                    "pad_type_id": 0, "pad_token": "<s>"}}),
        ),
    ]
}

/// What `tokenizer_config.json` can hold.
pub fn tokenizer_configs() -> Vec<Value> {
    let chat = "{% for m in messages %}{{ bos_token if loop.first else '' }}[{{ m['role'] }}] {{ m.content | trim }}\
        {{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    vec![
        json!({"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": false}, "add_bos_token": true,
            "chat_template": chat, "model_max_length": 1e30, "additional_special_tokens": ["tool"]}),
        json!({"bos_token": null, "eos_token": "</s>", "pad_token": "<unk>", "chat_template": [
            {"name": "default", "template": chat}, {"name": "tool_use", "template": "{{ tools | tojson }}"}]}),
    ]
}
