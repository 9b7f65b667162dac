//! Values carried over to other tokens, against byte-by-byte code, on text of every script.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::Path;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use sepo_data::planted::{BaseText, base_texts, train_tokenizer, write_tokenizer};
use sepo_data::{PairContent, PairTokenizer, PreferencePair, TokenizeConfig};
use sepo_select::Span;
use sepo_select::project::{Coverage, ProjectError, Projection, WithinText, project};

const ALL: [Projection; 4] = [Projection::Sum, Projection::Mean, Projection::Max, Projection::Proportional];

fn span(start: usize, end: usize) -> Span {
    Span { start: u32::try_from(start).unwrap(), end: u32::try_from(end).unwrap() }
}

/// Text of many scripts, with characters of one to four bytes and some that combine.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[a-zA-Z0-9 .,]{1,8}",
        1 => "[äöüßéñ]{1,4}",
        1 => "[тестовая]{1,4}",
        1 => "[你好世界文字]{1,4}",
        1 => prop_oneof![Just("👩‍👩‍👧".to_owned()), Just("🎉".to_owned()), Just("e\u{301}".to_owned())],
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

/// Tokens as byte-level BPE makes them: any cut of the bytes, also within a character; and a closing token, or none.
fn tokens(n_bytes: usize) -> impl Strategy<Value = Vec<Span>> {
    (vec(any::<bool>(), n_bytes.saturating_sub(1)), any::<bool>()).prop_map(move |(cuts, closes)| {
        let mut spans = Vec::new();
        let mut start = 0;
        for (i, cut) in cuts.iter().enumerate() {
            if *cut {
                spans.push(span(start, i + 1));
                start = i + 1;
            }
        }
        spans.push(span(start, n_bytes));
        if closes {
            spans.push(span(n_bytes, n_bytes));
        }
        spans
    })
}

/// A text's length in bytes with two ways to cut it, and a value for each token of the first.
fn case() -> impl Strategy<Value = (Vec<Span>, Vec<Span>, Vec<f64>)> {
    text().prop_flat_map(|text| {
        (tokens(text.len()), tokens(text.len())).prop_flat_map(|(source, target)| {
            let n = source.len();
            (Just(source), Just(target), vec(prop_oneof![Just(0.0), Just(1.0), -3.0..3.0], n))
        })
    })
}

/// Bytes that both stand for, one by one; a closing token shares one with a closing token.
fn n_shared(a: &Span, b: &Span) -> usize {
    if a.start == a.end || b.start == b.end {
        return usize::from(a == b);
    }
    (a.start..a.end).filter(|byte| (b.start..b.end).contains(byte)).count()
}

fn naive(source: &[Span], values: &[f64], target: &[Span], how: Projection) -> Vec<f64> {
    (0..target.len())
        .map(|t| {
            let shared = |s: usize| n_shared(&source[s], &target[t]) as f64;
            let reached = (0..source.len()).filter(|s| shared(*s) > 0.0);
            let of_source = |s: usize, t: usize| n_shared(&source[s], &target[t]);
            match how {
                Projection::Sum => reached
                    .filter(|&s| {
                        let most = (0..target.len()).map(|t| of_source(s, t)).max().unwrap();
                        (0..target.len()).find(|&t| of_source(s, t) == most) == Some(t)
                    })
                    .map(|s| values[s])
                    .sum(),
                Projection::Mean => {
                    let all: f64 = reached.clone().map(shared).sum();
                    reached.map(|s| values[s] * shared(s) / all).sum()
                }
                Projection::Max => reached
                    .map(|s| values[s])
                    .fold(0.0, |most: f64, v| if v.abs() > most.abs() { v } else { most }),
                Projection::Proportional => reached
                    .map(|s| {
                        let all: usize = (0..target.len()).map(|t| of_source(s, t)).sum();
                        values[s] * shared(s) / all as f64
                    })
                    .sum(),
            }
        })
        .collect()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn projections_equal_their_definition((source, target, values) in case()) {
        for how in ALL {
            let found = project(&source, &values, &target, how).unwrap();
            let expected = naive(&source, &values, &target, how);
            prop_assert_eq!(found.values.len(), target.len());
            for (found, expected) in found.values.iter().zip(&expected) {
                prop_assert!(close(*found, *expected), "{:?}: {} is not {}", how, found, expected);
            }
            let Coverage { n_uncovered, n_lost, .. } = found.coverage;
            let alone = |a: &[Span], b: &[Span]| {
                a.iter().filter(|a| b.iter().all(|b| n_shared(a, b) == 0)).count() as u64
            };
            prop_assert_eq!((n_uncovered, n_lost), (alone(&target, &source), alone(&source, &target)));
        }
    }

    #[test]
    fn the_total_is_kept_by_sum_and_in_proportion((source, target, values) in case()) {
        let positive: Vec<f64> = values.iter().map(|v| v.abs()).collect();
        for how in [Projection::Sum, Projection::Proportional] {
            let found = project(&source, &positive, &target, how).unwrap();
            let Coverage { source_mass, target_mass, lost_mass, .. } = found.coverage;
            prop_assert!(close(target_mass + lost_mass, source_mass));
            // Of the text nothing is lost, only a closing token that the other side has not.
            let closes = |spans: &[Span]| spans.last().is_some_and(|last| last.start == last.end);
            prop_assert!(lost_mass == 0.0 || closes(&source) && !closes(&target));
        }
    }

    #[test]
    fn the_same_tokens_keep_their_values_to_the_bit((source, _, values) in case()) {
        for how in ALL {
            let found = project(&source, &values, &source, how).unwrap();
            prop_assert_eq!(&found.values, &values);
            prop_assert_eq!(found.coverage.same_share(), Some(1.0));
        }
    }

    #[test]
    fn uniform_weights_stay_uniform_as_a_mean_and_masks_stay_masks_as_a_maximum(
        (source, target, values) in case(), weight in 0.1..2.0,
    ) {
        let uniform = vec![weight; source.len()];
        let found = project(&source, &uniform, &target, Projection::Mean).unwrap();
        for (value, token) in found.values.iter().zip(&target) {
            let is_covered = source.iter().any(|s| n_shared(s, token) > 0);
            let expected = if is_covered { weight } else { 0.0 };
            prop_assert!(close(*value, expected));
        }
        let mask: Vec<f64> = values.iter().map(|v| f64::from(u8::from(*v > 0.0))).collect();
        let found = project(&source, &mask, &target, Projection::Max).unwrap();
        prop_assert!(found.values.iter().all(|v| *v == 0.0 || *v == 1.0));
    }

    #[test]
    fn spans_in_any_order_and_overlapping_are_as_their_bytes_say(
        source in vec((0usize..20, 0usize..6), 0..8), target in vec((0usize..20, 1usize..6), 0..8),
    ) {
        // No two tokens without text at one place: which of them meets which is a matter of order.
        let source: Vec<Span> = source.iter().map(|(start, n)| span(*start, start + n.max(&1))).collect();
        let mut target: Vec<Span> = target.iter().map(|(start, n)| span(*start, start + n)).collect();
        // Of equals the first in the text.
        target.sort_by_key(|span| span.start);
        let values: Vec<f64> = (0..source.len()).map(|i| i as f64 - 3.0).collect();
        prop_assume!(source != target);
        for how in ALL {
            let found = project(&source, &values, &target, how).unwrap().values;
            for (found, expected) in found.iter().zip(naive(&source, &values, &target, how)) {
                // The largest of equal magnitude may have either sign.
                prop_assert!(close(*found, expected) || how == Projection::Max && close(found.abs(), expected.abs()));
            }
        }
    }
}

/// A byte-level tokenizer of the built-in grammar with so many tokens.
fn tokenizer(vocab: usize) -> PairTokenizer {
    let dir = tempfile::tempdir().unwrap();
    let texts = base_texts(300, 1);
    write_tokenizer(&train_tokenizer(texts.iter().map(BaseText::text), vocab).unwrap(), dir.path()).unwrap();
    PairTokenizer::from_model_dir(dir.path(), &TokenizeConfig::default()).unwrap()
}

/// Tokenizers of real models, where they lie beside the project.
#[expect(clippy::print_stdout, reason = "a test says what it skips")]
fn shared_tokenizers() -> Vec<PairTokenizer> {
    let mut found = Vec::new();
    for name in ["qwen2.5", "gpt-neox-20b"] {
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/tokenizers")).join(name);
        if !dir.exists() {
            println!("skipped: {} is absent", dir.display());
            continue;
        }
        let config =
            TokenizeConfig { eos_token: Some("<|endoftext|>".to_owned()), ..TokenizeConfig::default() };
        found.push(PairTokenizer::from_model_dir(&dir, &config).unwrap());
    }
    found
}

#[test]
fn real_tokenizers_lose_nothing_of_any_text() {
    let [coarse, fine] = [tokenizer(1024), tokenizer(280)];
    lose_nothing(&coarse, &fine);
    for real in &shared_tokenizers() {
        lose_nothing(real, &fine);
        shared_tokenizers().iter().for_each(|other| lose_nothing(real, other));
    }
}

fn lose_nothing(coarse: &PairTokenizer, fine: &PairTokenizer) {
    let texts =
        ["The answer is plain.", "Grüße, 世界! 👩‍👩‍👧 naïve", "е\u{301}то 🎉🎉", "a\u{0}b\u{feff}c  \n\n d"];
    for text in texts {
        let content = PairContent::Text { prompt: "Q:".into(), chosen: text.into(), rejected: "no".into() };
        let pair = PreferencePair { row: 0, file: Arc::default(), file_row: 0, content };
        let [source, target] = [coarse, fine].map(|t| t.encode(&pair).unwrap().pair.chosen.spans.unwrap());
        for (a, b) in [(&source, &target), (&target, &source)] {
            let values: Vec<f64> = (0..a.len()).map(|i| 1.0 + i as f64).collect();
            for how in [Projection::Sum, Projection::Proportional] {
                let found = project(a, &values, b, how).unwrap();
                assert_eq!((found.coverage.n_lost, found.coverage.n_uncovered), (0, 0), "{text:?}");
                assert!(close(found.values.iter().sum(), values.iter().sum()), "{text:?}");
                // The closing token is the other's closing token.
                assert_eq!(found.values.last(), values.last());
            }
        }
    }
}

#[test]
fn templates_that_close_in_other_ways_still_close() {
    // `Yes.` in the words of two templates, with their tokens.
    let ours = WithinText::find("\nYes.<|im_end|>\n", "Yes.").unwrap();
    let theirs = WithinText::find("Yes.</s>", "Yes.").unwrap();
    let source = ours.spans(&[span(0, 1), span(1, 5), span(5, 15), span(15, 16)]);
    let target = theirs.spans(&[span(0, 2), span(2, 4), span(4, 8)]);
    let found = project(&source, &[9.0, 1.0, 2.0, 9.0], &target, Projection::Proportional).unwrap();
    assert_eq!(found.values, [0.5, 0.5, 2.0]);
    assert_eq!((found.coverage.n_lost, found.coverage.lost_mass), (2, 18.0));
    assert_eq!(WithinText::whole(4).spans(&[span(0, 3), span(3, 9)]), [span(0, 3), span(3, 4)]);
}

#[test]
fn what_cannot_be_projected_is_named() {
    let one = [span(0, 1)];
    let by = |source: &[Span], values: &[f64]| project(source, values, &one, Projection::Sum);
    assert_eq!(by(&one, &[]), Err(ProjectError::Length { n_values: 0, n_tokens: 1 }));
    assert_eq!(by(&one, &[f64::INFINITY]), Err(ProjectError::NotFinite { token: 0, value: f64::INFINITY }));
    let backwards = Span { start: 2, end: 1 };
    assert_eq!(by(&[backwards], &[1.0]), Err(ProjectError::Backwards { token: 0, start: 2, end: 1 }));
}
