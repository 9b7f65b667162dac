//! The built-in pairs: the same for a seed, labelled by Bradley–Terry, and free of cues but the planted ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use sepo_data::planted::{
    PlantedConfig, PlantedPair, PlantedResponse, Quality, SpanKind, Temperature, base_texts, decisive_mask,
    eval_prompts, planted_pairs, span_mask,
};
use sepo_data::{PairContent, Span};

fn pairs(n_pairs: usize, seed: u64) -> Vec<PlantedPair> {
    planted_pairs(&PlantedConfig { n_pairs, seed, ..PlantedConfig::default() }).collect()
}

fn sides(pairs: &[PlantedPair]) -> impl Iterator<Item = &PlantedResponse> {
    pairs.iter().flat_map(|pair| [&pair.chosen, &pair.rejected])
}

/// The response without its planted sentences.
fn filler(response: &PlantedResponse) -> String {
    let mut text = response.text.clone();
    for span in response.spans.iter().rev() {
        text.replace_range(span.bytes.clone(), "");
    }
    text
}

/// The share of `n` draws of truth `p` lies within this of `p`, but for one case in 15 000.
fn four_sigma(p: f64, n: usize) -> f64 {
    4.0 * (p * (1.0 - p) / n as f64).sqrt()
}

#[test]
fn a_seed_gives_the_same_bytes() {
    assert_eq!(pairs(50, 3), pairs(50, 3));
    assert_eq!(pairs(50, 3)[..20], pairs(20, 3));
    assert_ne!(pairs(50, 3), pairs(50, 4));
    assert_eq!(base_texts(50, 3), base_texts(50, 3));
    assert_ne!(base_texts(50, 3), base_texts(50, 4));
    assert_eq!(eval_prompts(50, 3), eval_prompts(50, 3));
}

#[test]
fn the_bytes_of_seed_zero_stay_what_they_are() {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&serde_json::to_vec(&pairs(500, 0)).unwrap());
    hasher.update(&serde_json::to_vec(&base_texts(500, 0)).unwrap());
    hasher.update(&serde_json::to_vec(&eval_prompts(100, 0)).unwrap());
    assert_eq!(hasher.finalize().to_hex()[..16], *"f642553d98671703");
}

#[test]
fn labels_follow_bradley_terry() {
    for temperature in [0.5, 1.0, 2.0].map(|value| Temperature::new(value).unwrap()) {
        let config = PlantedConfig { n_pairs: 8000, seed: 11, temperature };
        // Key: the size of the margin in tenths. Value: how often the better side was chosen, of how many.
        let mut counts: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for pair in planted_pairs(&config) {
            let tenths = format!("{:.0}", pair.margin().abs() * 10.0).parse().unwrap();
            let count = counts.entry(tenths).or_default();
            count.0 += usize::from(pair.margin() > 0.0);
            count.1 += 1;
        }
        counts.remove(&0);
        assert!(counts.len() > 5);
        for (tenths, (better, n)) in counts {
            let expected = temperature.preference(f64::from(tenths) / 10.0);
            let share = better as f64 / n as f64;
            let slack = four_sigma(expected, n) + 1.0 / n as f64;
            assert!((share - expected).abs() <= slack, "margin {tenths}/10: {share} of {n}, not {expected}");
        }
    }
}

#[test]
fn temperatures_that_mean_nothing_are_refused() {
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Temperature::new(value).is_err());
    }
}

#[test]
fn each_span_has_an_even_chance() {
    let pairs = pairs(4000, 5);
    for kind in SpanKind::ALL {
        let mut n = 0;
        let mut n_good = 0;
        for span in sides(&pairs).flat_map(|side| &side.spans).filter(|span| span.kind == kind) {
            n += 1;
            n_good += usize::from(span.quality == Quality::Good);
        }
        let share = n_good as f64 / n as f64;
        assert!((share - 0.5).abs() < four_sigma(0.5, n), "{kind:?}: {share}");
    }
}

#[test]
fn filler_and_length_do_not_tell_the_label() {
    let pairs = pairs(8000, 6);
    let mut counts: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    let mut n_words = [0.0_f64; 2];
    for pair in &pairs {
        for (side, response) in [&pair.chosen, &pair.rejected].into_iter().enumerate() {
            for word in filler(response).split_whitespace() {
                counts.entry(word.to_owned()).or_default()[side] += 1.0;
                n_words[side] += 1.0;
            }
        }
    }
    // Chi-square of every filler word's counts on the two sides, given their sum.
    let chi_square: f64 = counts.values().map(|[a, b]| (a - b).powi(2) / (a + b)).sum();
    let freedom = counts.len() as f64;
    // Words of one sentence come together, which widens the distribution; a cue would exceed any such bound.
    assert!(chi_square < 2.0 * freedom, "chi-square {chi_square} over {freedom} words");
    let share: f64 = n_words[0] / (n_words[0] + n_words[1]);
    assert!((share - 0.5).abs() < 0.01, "{share} of the filler words are in chosen responses");

    let bytes = |side: fn(&PlantedPair) -> usize| pairs.iter().map(side).sum::<usize>() as f64;
    let ratio = bytes(|pair| pair.chosen.text.len()) / bytes(|pair| pair.rejected.text.len());
    assert!((ratio - 1.0).abs() < 0.01, "chosen responses are {ratio} times as long");
}

#[test]
fn spans_lie_on_characters_and_in_order() {
    for response in sides(&pairs(1000, 7)) {
        assert!(response.text.starts_with(' ') && response.text.ends_with('.'));
        let mut end = 0;
        for span in &response.spans {
            assert!(span.bytes.start > end && span.bytes.end <= response.text.len());
            assert!(span.bytes.start <= span.decisive.start && span.decisive.end < span.bytes.end);
            assert!(response.text[span.bytes.clone()].ends_with('.'));
            assert!(!response.text[span.decisive.clone()].contains(' '));
            assert_eq!(&response.text[span.bytes.start - 1..span.bytes.start], " ");
            end = span.bytes.end;
        }
        let kinds: BTreeSet<_> = response.spans.iter().map(|span| span.kind).collect();
        assert_eq!(kinds.len(), response.spans.len());
    }
}

#[test]
fn texts_are_short_and_their_words_few() {
    let pairs = pairs(4000, 8);
    let n_words = |text: &str| text.split_whitespace().count();
    assert!(pairs.iter().all(|pair| (10..=25).contains(&n_words(&pair.prompt))));
    let lengths: Vec<usize> = sides(&pairs).map(|side| n_words(&side.text)).collect();
    assert!(lengths.iter().all(|n| (20..=55).contains(n)));
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    assert!((30.0..40.0).contains(&mean), "{mean} words on average");
    let words: BTreeSet<&str> = sides(&pairs)
        .map(|side| side.text.as_str())
        .chain(pairs.iter().map(|pair| pair.prompt.as_str()))
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .collect();
    assert!((200..=400).contains(&words.len()), "{} words", words.len());
}

#[test]
fn both_sides_are_never_the_same_text() {
    assert!(pairs(5000, 9).iter().all(|pair| pair.chosen.text != pair.rejected.text));
}

#[test]
fn evaluation_prompts_are_new_and_ask_for_every_fact() {
    let pair_prompts = pairs(5000, 0).into_iter().map(|pair| pair.prompt);
    let seen: BTreeSet<String> =
        pair_prompts.chain(base_texts(5000, 0).into_iter().map(|text| text.prompt)).collect();
    let prompts = eval_prompts(1000, 0);
    assert!(prompts.iter().all(|prompt| !seen.contains(prompt)));
    assert_eq!(prompts.iter().collect::<BTreeSet<_>>().len(), 1000);

    let fact_of = |prompt: &String| {
        let (_, question) = prompt.split_once(". ").unwrap();
        let (_, fact) = question.split_once(" the ").unwrap();
        fact[..fact.find(['.', '?']).unwrap()].to_owned()
    };
    assert_eq!(prompts.iter().map(fact_of).collect::<BTreeSet<_>>().len(), 32);
}

#[test]
fn evaluation_prompts_repeat_only_after_all_have_come() {
    let prompts = eval_prompts(15_552 + 10, 1);
    let (first, again) = prompts.split_at(15_552);
    let first: BTreeSet<_> = first.iter().collect();
    assert_eq!(first.len(), 15_552);
    assert!(again.iter().all(|prompt| first.contains(prompt)));
}

#[test]
fn a_pair_becomes_a_row_of_text() {
    let file = Arc::new(PathBuf::from("built-in"));
    let pair = &pairs(3, 0)[2];
    let row = pair.to_preference_pair(&file);
    assert_eq!((row.row, row.file_row, &row.file), (2, 2, &file));
    let PairContent::Text { prompt, chosen, rejected } = row.content else { panic!("not text") };
    assert_eq!([&prompt, &chosen, &rejected], [&pair.prompt, &pair.chosen.text, &pair.rejected.text]);
}

#[test]
fn masks_mark_the_tokens_that_share_a_byte() {
    for response in sides(&pairs(200, 10)) {
        // One token a byte, and a closing one without text.
        let len = u32::try_from(response.text.len()).unwrap();
        let tokens: Vec<Span> = (0..=len).map(|start| Span { start, end: (start + 1).min(len) }).collect();
        let decisive = decisive_mask(&tokens, response);
        let whole = span_mask(&tokens, response);
        for i in 0..tokens.len() {
            let span = response.spans.iter().find(|span| span.bytes.contains(&i));
            assert_eq!(whole[i], span.map(|span| span.quality));
            let span = span.filter(|span| span.decisive.contains(&i));
            assert_eq!(decisive[i], span.map(|span| span.quality));
        }
        assert_eq!(decisive_mask(&[], response), []);
    }
}
