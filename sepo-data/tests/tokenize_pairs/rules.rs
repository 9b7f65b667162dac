//! Beginnings, endings, lengths, and why a pair is not used.

use crate::fixture::{Kind, model_dir, pair, text, tokenizer, wide};
use sepo_data::{
    Bos, Eos, LongPrompt, PairContent, PairPart, PairTokenizer, PreferencePair, SkipReason, SpecialSource,
    SpecialToken, SpecialTokens, TokenizeConfig, TokenizeError, TruncationConfig,
};
use serde_json::{Value, json};

fn with_config(change: impl FnOnce(&mut TokenizeConfig)) -> PairTokenizer {
    let mut config = wide();
    change(&mut config);
    tokenizer(Kind::ByteLevel, &config)
}

fn ids(prompt: &[u32], chosen: &[u32], rejected: &[u32]) -> PreferencePair {
    pair(PairContent::Tokens {
        prompt_ids: prompt.to_vec(),
        chosen_ids: chosen.to_vec(),
        rejected_ids: rejected.to_vec(),
    })
}

fn ids_only(truncation: TruncationConfig) -> PairTokenizer {
    let bos = SpecialToken { id: 1, source: SpecialSource::Given };
    let special = SpecialTokens { bos: Some(bos), ..SpecialTokens::default() };
    let config = TokenizeConfig { truncation, ..TokenizeConfig::default() };
    PairTokenizer::ids_only(Some(100), special, &config).unwrap()
}

#[test]
fn one_bos_leads_whatever_the_text_spells() {
    let tokenizer = with_config(|_| {});
    let bos = tokenizer.special_tokens().bos.unwrap().id;
    for prompt in ["the", "<s>the", "<s><s>the", "", "<s>"] {
        for response in [" yes", "<s> yes"] {
            let encoded = tokenizer.encode(&text(prompt, response, " no")).unwrap();
            let all = [&encoded.pair.prompt_ids[..], &encoded.pair.chosen.ids].concat();
            assert_eq!(all[0], bos, "{prompt:?}");
            assert_ne!(all[1], bos, "{prompt:?} {response:?}");
        }
    }
}

#[test]
fn bos_is_added_where_the_tokenizer_would() {
    let auto = |config: &mut TokenizeConfig| config.bos = Bos::Auto;
    let tokenizer = with_config(auto);
    assert!(!tokenizer.adds_bos());
    assert!(matches!(tokenizer.encode(&text("", " yes", " no")), Err(SkipReason::NoContext)));

    let dir = model_dir(Kind::ByteLevel, None);
    let path = dir.path().join("tokenizer_config.json");
    let config = TokenizeConfig::default();
    std::fs::write(
        &path,
        json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true}).to_string(),
    )
    .unwrap();
    assert!(PairTokenizer::from_model_dir(dir.path(), &config).unwrap().adds_bos());

    // The post-processor puts it in front, and no file names it.
    let mut json: Value =
        serde_json::from_slice(&std::fs::read(dir.path().join("tokenizer.json")).unwrap()).unwrap();
    json["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    });
    json["truncation"] =
        json!({"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0});
    json["padding"] = json!({"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>"});
    json["model"]["dropout"] = json!(0.5);
    std::fs::write(dir.path().join("tokenizer.json"), json.to_string()).unwrap();
    std::fs::write(&path, json!({"eos_token": "</s>"}).to_string()).unwrap();
    let tokenizer = PairTokenizer::from_model_dir(dir.path(), &config).unwrap();
    assert!(tokenizer.adds_bos());
    assert_eq!(tokenizer.special_tokens().bos.unwrap().source, SpecialSource::PostProcessor);
    // Neither cut nor padded, and without dropout.
    let ids = tokenizer.encode_text("the weather is fine and the answer is yes", Eos::Never).unwrap();
    assert!(ids.len() > 3 && ids.len() < 60 && !ids.contains(&0));
    assert_eq!(ids, tokenizer.encode_text("the weather is fine and the answer is yes", Eos::Never).unwrap());
}

#[test]
fn the_first_file_that_names_a_token_decides() {
    let dir = model_dir(Kind::ByteLevel, None);
    let write = |name: &str, json: Value| std::fs::write(dir.path().join(name), json.to_string()).unwrap();
    let load = |config: &TokenizeConfig| PairTokenizer::from_model_dir(dir.path(), config);
    write("tokenizer_config.json", json!({"bos_token": null}));
    write("config.json", json!({"bos_token_id": 1, "eos_token_id": [2, 7], "vocab_size": 5000}));
    let tokenizer = load(&TokenizeConfig::default()).unwrap();
    assert_eq!(tokenizer.special_tokens().bos, None);
    assert_eq!(
        tokenizer.special_tokens().eos,
        Some(SpecialToken { id: 2, source: SpecialSource::ModelConfig })
    );
    assert_eq!(tokenizer.special_tokens().closing_ids, [2, 7]);
    write("generation_config.json", json!({"eos_token_id": 9}));
    let tokenizer = load(&TokenizeConfig::default()).unwrap();
    assert_eq!(
        tokenizer.special_tokens().eos,
        Some(SpecialToken { id: 9, source: SpecialSource::GenerationConfig })
    );
    assert_eq!(tokenizer.special_tokens().closing_ids, [2, 7, 9]);
    let always = TokenizeConfig { bos: Bos::Always, ..TokenizeConfig::default() };
    assert!(matches!(load(&always), Err(TokenizeError::NoBos)));
    let named = TokenizeConfig { eos_token: Some("<none>".into()), ..TokenizeConfig::default() };
    assert!(matches!(load(&named), Err(TokenizeError::UnknownToken { token }) if token == "<none>"));
    write("config.json", json!({}));
    write("generation_config.json", json!({}));
    assert!(matches!(load(&TokenizeConfig::default()), Err(TokenizeError::NoEos)));
    assert!(load(&TokenizeConfig { eos: Eos::Never, ..TokenizeConfig::default() }).is_ok());
}

#[test]
fn one_eos_closes_and_nothing_follows_it() {
    let tokenizer = with_config(|_| {});
    let eos = tokenizer.special_tokens().eos.unwrap().id;
    let plain = tokenizer.encode(&text("the", " yes", " no")).unwrap();
    for (response, n_dropped) in
        [(" yes</s>", 0), (" yes</s>\n", 1), (" yes</s> </s>\n", 6), (" yes</s></s>", 4)]
    {
        let encoded = tokenizer.encode(&text("the", response, " no")).unwrap();
        assert_eq!(encoded.pair.chosen.ids, plain.pair.chosen.ids, "{response:?}");
        assert_eq!(encoded.notes.chosen.n_dropped_bytes, n_dropped, "{response:?}");
    }
    // In the middle it is text like any other.
    let encoded = tokenizer.encode(&text("the", " yes</s> and", " no")).unwrap();
    assert_eq!(encoded.pair.chosen.ids.iter().filter(|id| **id == eos).count(), 2);
    for document in ["the", "the</s>", "the</s>\n"] {
        let ids = tokenizer.encode_text(document, Eos::Append).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), "<s>the</s>", "{document:?}");
    }
    let never = with_config(|config| config.eos = Eos::Never);
    assert_ne!(never.encode(&text("the", " yes", " no")).unwrap().pair.chosen.ids.last(), Some(&eos));
}

#[test]
fn empty_and_identical_sides_are_refused() {
    let tokenizer = with_config(|_| {});
    for response in ["", "</s>", "</s>\n"] {
        let reason = tokenizer.encode(&text("the", " yes", response)).unwrap_err();
        assert!(
            matches!(reason, SkipReason::EmptySide { part: PairPart::Rejected }),
            "{response:?}: {reason}"
        );
    }
    // Nothing is left where the beginning-of-sequence token belongs to the prompt.
    let reason = tokenizer.encode(&text("", " yes", "<s>")).unwrap_err();
    assert!(matches!(reason, SkipReason::EmptySide { part: PairPart::Rejected }));
    let reason = tokenizer.encode(&text("the", " yes", " yes</s>\n")).unwrap_err();
    assert!(matches!(reason, SkipReason::IdenticalSides));
}

#[test]
fn text_is_used_byte_for_byte() {
    let tokenizer = with_config(|_| {});
    let encoded = tokenizer.encode(&text(" the \r\n", " yes \n\n", "\n")).unwrap();
    let decoded = |ids: &[u32]| tokenizer.decode(ids).unwrap();
    assert_eq!(decoded(&encoded.pair.prompt_ids), "<s> the \r\n");
    assert_eq!(decoded(&encoded.pair.chosen.ids), " yes \n\n</s>");
    assert_eq!(decoded(&encoded.pair.rejected.ids), "\n</s>");
}

#[test]
fn a_cut_response_is_flagged_and_gets_no_eos() {
    let full = with_config(|_| {}).encode(&text("the", " yes and the answer is fine", " no")).unwrap().pair;
    let n_prompt = full.prompt_ids.len();
    // One too short for the end-of-sequence token alone is a cut, too.
    for n_kept in 1..full.chosen.ids.len() {
        let tokenizer = with_config(|config| {
            config.truncation.max_length = n_prompt + n_kept;
            config.truncation.max_prompt_length = Some(n_prompt);
        });
        let encoded = tokenizer.encode(&text("the", " yes and the answer is fine", " no")).unwrap();
        let chosen = encoded.pair.chosen;
        assert_eq!(chosen.ids, full.chosen.ids[..n_kept]);
        assert_eq!(chosen.spans.unwrap(), full.chosen.spans.as_ref().unwrap()[..n_kept]);
        assert!(chosen.truncated);
        assert_eq!(encoded.notes.chosen.n_cut, full.chosen.ids.len() - n_kept);
        assert!(!encoded.pair.prompt_truncated);
    }
}

#[test]
fn prompts_lose_their_start_and_keep_their_bos() {
    let truncation = |max_length, max_prompt_length| TruncationConfig {
        max_length,
        max_prompt_length,
        ..TruncationConfig::default()
    };
    let prompt = [1, 10, 11, 12, 13, 14];
    let cut = |truncation, n_response: usize| {
        let encoded = ids_only(truncation).encode(&ids(&prompt, &vec![20; n_response], &[30])).unwrap();
        (encoded.pair.prompt_ids, encoded.pair.chosen.ids.len())
    };
    // Fits.
    assert_eq!(cut(truncation(8, None), 2), (prompt.to_vec(), 2));
    // The prompt keeps what the response leaves.
    assert_eq!(cut(truncation(8, None), 3), (vec![1, 11, 12, 13, 14], 3));
    // At least half.
    assert_eq!(cut(truncation(8, None), 6), (vec![1, 12, 13, 14], 4));
    // Always to its own limit.
    assert_eq!(cut(truncation(100, Some(3)), 6), (vec![1, 13, 14], 6));
    assert_eq!(cut(truncation(8, Some(7)), 6), (prompt.to_vec(), 2));
    assert_eq!(cut(truncation(2, None), 6), (vec![1], 1));
}

#[test]
fn long_prompts_can_be_skipped() {
    let truncation =
        TruncationConfig { max_length: 4, max_prompt_length: None, long_prompt: LongPrompt::Skip };
    let tokenizer = ids_only(truncation);
    let reason = tokenizer.encode(&ids(&[1, 2, 3], &[4, 5], &[6])).unwrap_err();
    assert!(matches!(reason, SkipReason::PromptTooLong { n_tokens: 3, limit: 2 }));
    assert!(tokenizer.encode(&ids(&[1, 2], &[4, 5, 6], &[6])).unwrap().pair.chosen.truncated);
}

#[test]
fn lengths_without_room_are_refused() {
    let check = |max_length, max_prompt_length| {
        TruncationConfig { max_length, max_prompt_length, ..TruncationConfig::default() }.check()
    };
    assert!(matches!(check(1, None), Err(TokenizeError::MaxLengthTooSmall { max_length: 1 })));
    assert!(matches!(check(8, Some(8)), Err(TokenizeError::MaxPromptLength { .. })));
    assert!(matches!(check(8, Some(0)), Err(TokenizeError::MaxPromptLength { .. })));
    assert!(check(2, Some(1)).is_ok());
}

#[test]
fn ids_pass_through_unchanged_and_are_checked() {
    let tokenizer = ids_only(TruncationConfig::default());
    let encoded = tokenizer.encode(&ids(&[5, 6], &[7, 2], &[7, 7])).unwrap();
    assert_eq!(encoded.pair.row, 7);
    assert_eq!((encoded.pair.prompt_ids, encoded.pair.chosen.ids), (vec![5, 6], vec![7, 2]));
    assert_eq!(encoded.pair.chosen.spans, None);
    let reason = tokenizer.encode(&ids(&[5], &[7, 100], &[7])).unwrap_err();
    assert!(matches!(
        reason,
        SkipReason::IdOutOfVocab { part: PairPart::Chosen, index: 1, id: 100, vocab: 100 }
    ));
    assert!(matches!(tokenizer.encode(&ids(&[], &[7], &[8])), Err(SkipReason::NoContext)));
    assert!(matches!(tokenizer.encode(&ids(&[5], &[], &[8])), Err(SkipReason::EmptySide { .. })));
    assert!(matches!(tokenizer.encode(&ids(&[5], &[8], &[8])), Err(SkipReason::IdenticalSides)));
    assert!(matches!(tokenizer.encode(&text("a", "b", "c")), Err(SkipReason::NoTokenizer)));
    assert!(matches!(tokenizer.encode_text("a", Eos::Never), Err(TokenizeError::IdsOnly)));
    assert_eq!((tokenizer.vocab_size(), tokenizer.max_id()), (Some(100), Some(99)));
}

#[test]
fn the_model_s_vocabulary_bounds_the_ids() {
    let dir = model_dir(Kind::ByteLevel, None);
    let tokenizer = PairTokenizer::from_model_dir(dir.path(), &wide()).unwrap();
    let max_id = tokenizer.max_id().unwrap();
    assert_eq!(tokenizer.vocab_size().unwrap(), max_id as usize + 1);
    assert!(tokenizer.encode(&ids(&[1], &[max_id], &[0])).is_ok());
    assert!(tokenizer.encode(&ids(&[1], &[max_id + 1], &[0])).is_err());
    std::fs::write(dir.path().join("config.json"), r#"{"vocab_size": 3}"#).unwrap();
    let tokenizer = PairTokenizer::from_model_dir(dir.path(), &wide()).unwrap();
    assert!(matches!(
        tokenizer.encode(&text("the", " a", " b")),
        Err(SkipReason::IdOutOfVocab { vocab: 3, .. })
    ));
}

#[test]
fn broken_folders_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let load = || PairTokenizer::from_model_dir(dir.path(), &wide());
    assert!(matches!(load(), Err(TokenizeError::Missing { .. })));
    std::fs::write(dir.path().join("tokenizer.json"), "{").unwrap();
    assert!(matches!(load(), Err(TokenizeError::Load { .. })));
}
