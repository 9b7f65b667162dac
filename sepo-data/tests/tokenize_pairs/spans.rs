//! Prompt ids are a true prefix, and spans give the response back, whatever the text.

use std::sync::LazyLock;

use crate::fixture::{KINDS, Kind, text, tokenizer, wide};
use proptest::prelude::*;
use sepo_data::{Bos, Eos, PairTokenizer, SkipReason, Span, TokenizedResponse};

static TOKENIZERS: LazyLock<Vec<(Kind, PairTokenizer)>> =
    LazyLock::new(|| KINDS.iter().map(|kind| (*kind, tokenizer(*kind, &wide()))).collect());

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "the", " the", "The", " quick", "new lines", "日本", "日本語", "語", "😀", "👩‍👩‍👧", "e\u{301}", "é", "\u{301}",
            "\r\n", "\n", "\n\n", " ", "  ", "\t", "1", "123", "▁", "\u{3000}", "\u{a0}", "\u{feff}", "<0x0A>", "Ġ",
            "</s>", "<s>", "<unk>", "fine.", "'s", "\0", "ﬁ", "가", "\u{1100}\u{1161}", "नि",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-z ]{1,6}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Whether the spans lie one after the other over the whole of the text, up to a dropped tail.
fn tiles(text: &str, spans: &[Span], n_dropped_bytes: usize) -> bool {
    let mut end = 0;
    let in_order = spans.iter().all(|span| {
        let follows = span.start == end && span.end >= span.start;
        end = span.end;
        follows
    });
    in_order && end as usize == text.len() - n_dropped_bytes
}

fn without_eos<'a>(tokenizer: &PairTokenizer, response: &'a TokenizedResponse, text: &str) -> &'a [u32] {
    let spans = response.spans.as_ref().unwrap();
    let is_appended = spans.last().is_some_and(|s| s.start == s.end && s.end as usize == text.len());
    let closing = &tokenizer.special_tokens().closing_ids;
    match response.ids.split_last() {
        Some((last, rest)) if is_appended && closing.contains(last) => rest,
        _ => &response.ids,
    }
}

fn bytes(tokenizer: &PairTokenizer, ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|id| tokenizer.token_bytes(*id).unwrap().to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn prompt_ids_are_a_prefix_and_spans_give_the_text_back(
        prompt in pieces(), chosen in pieces(), rejected in pieces(),
    ) {
        for (kind, tokenizer) in TOKENIZERS.iter() {
            let encoded = match tokenizer.encode(&text(&prompt, &chosen, &rejected)) {
                Ok(encoded) => encoded,
                Err(SkipReason::EmptySide { .. } | SkipReason::IdenticalSides) => continue,
                Err(reason) => panic!("{kind:?}: {reason}"),
            };
            let bos = tokenizer.special_tokens().bos.unwrap().id;
            let eos = tokenizer.special_tokens().eos.unwrap().id;
            let pair = &encoded.pair;
            prop_assert_eq!(pair.prompt_ids.iter().take_while(|id| **id == bos).count(), 1);
            prop_assert_eq!(&pair.prompt_ids, &tokenizer.encode_text(&prompt, Eos::Never).unwrap());
            for (side, side_text, notes) in [
                (&pair.chosen, &chosen, encoded.notes.chosen), (&pair.rejected, &rejected, encoded.notes.rejected),
            ] {
                prop_assert_eq!(side.ids.last(), Some(&eos));
                prop_assert!(side.ids.len() < 2 || side.ids[side.ids.len() - 2] != eos);
                let spans = side.spans.as_ref().unwrap();
                prop_assert_eq!(spans.len(), side.ids.len());
                let has_moved_bos = prompt.replace("<s>", "").is_empty() && side_text.starts_with("<s>");
                // NFC changes characters, and a literal `▁` is a space to SentencePiece: covered, not tiled.
                let is_changed = *kind == Kind::ByteLevelNfc || side_text.contains('▁');
                if !has_moved_bos && !is_changed {
                    prop_assert!(tiles(side_text, spans, notes.n_dropped_bytes), "{:?} {:?} {:?}", kind, side_text, spans);
                }
                let response = without_eos(tokenizer, side, side_text);
                if !notes.is_resplit && notes.n_dropped_bytes == 0 && !has_moved_bos {
                    let joint = tokenizer.encode_text(&format!("{prompt}{side_text}"), Eos::Never).unwrap();
                    prop_assert_eq!([&pair.prompt_ids, response].concat(), joint, "{:?}", kind);
                }
                // Spaces are invented only after special tokens and at the start of the prompt, never before a response.
                let is_plain = !format!("{prompt}{side_text}").contains(['<', '▁']);
                if is_plain && *kind != Kind::ByteLevelNfc && !prompt.is_empty() {
                    prop_assert_eq!(bytes(tokenizer, response), side_text.as_bytes(), "{:?} after {:?}", kind, prompt);
                }
            }
        }
    }

    #[test]
    fn spans_cover_what_a_normalizer_changed(chosen in pieces()) {
        let (_, tokenizer) = TOKENIZERS.iter().find(|(kind, _)| *kind == Kind::ByteLevelNfc).unwrap();
        let Ok(encoded) = tokenizer.encode(&text("the", &chosen, "no, the other")) else { return Ok(()) };
        let end = chosen.len() - encoded.notes.chosen.n_dropped_bytes;
        let mut covered = vec![false; end];
        for span in encoded.pair.chosen.spans.unwrap() {
            prop_assert!(span.start <= span.end && span.end as usize <= end);
            covered[span.start as usize..span.end as usize].fill(true);
        }
        prop_assert!(covered.iter().all(|byte| *byte), "{:?}", chosen);
    }
}

#[test]
fn pieces_of_a_split_character_carry_their_own_byte() {
    for kind in [Kind::ByteLevel, Kind::Prepend, Kind::Metaspace] {
        let tokenizer = tokenizer(kind, &wide());
        let encoded = tokenizer.encode(&text("the", " 鬱", " no")).unwrap();
        let spans = encoded.pair.chosen.spans.unwrap();
        let spans: Vec<_> = spans.iter().map(|span| (span.start, span.end)).collect();
        assert!(spans.ends_with(&[(1, 2), (2, 3), (3, 4), (4, 4)]), "{kind:?} {spans:?}");
    }
}

#[test]
fn a_response_inside_a_word_gets_no_invented_space() {
    for kind in KINDS {
        let tokenizer = tokenizer(kind, &wide());
        let encoded = tokenizer.encode(&text("the qui", "ck brown", "te right")).unwrap();
        assert!(encoded.notes.chosen.is_resplit, "{kind:?}");
        let (_, chosen) = encoded.pair.chosen.ids.split_last().unwrap();
        assert_eq!(bytes(&tokenizer, chosen), b"ck brown", "{kind:?}");
    }
}

#[test]
fn strict_refuses_what_straddles() {
    let config =
        sepo_data::TokenizeConfig { boundary: sepo_data::Boundary::Strict, bos: Bos::Always, ..wide() };
    let tokenizer = tokenizer(Kind::ByteLevel, &config);
    let reason = tokenizer.encode(&text("the qui", "ck brown", " no")).unwrap_err();
    assert!(matches!(reason, SkipReason::Straddles { part: sepo_data::PairPart::Chosen }));
    let encoded = tokenizer.encode(&text("the", " quick", " no")).unwrap();
    assert!(!encoded.notes.chosen.is_resplit);
}
