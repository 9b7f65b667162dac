//! The judge agrees with what was planted, and cannot be paid with repetition or nonsense.

use proptest::prelude::*;
use sepo_data::planted::{PlantedConfig, Quality, SpanKind, Verdict, base_texts, judge, planted_pairs};

const PROMPT: &str =
    "Question: I am near the mill with a baker. What is the colour of the fox? Use the word amber.\nAnswer:";
const GOOD: &str = " It is a joy to help you. The colour of the fox is red. The word I use is amber.";
const BAD: &str = " It is a bore to help you. The colour of the fox is green. The word I use is coral.";

fn utility(response: &str) -> f64 {
    judge(PROMPT, response).utility
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_what_was_planted(seed in any::<u64>()) {
        let config = PlantedConfig { n_pairs: 20, seed, ..PlantedConfig::default() };
        for pair in planted_pairs(&config) {
            for side in [&pair.chosen, &pair.rejected] {
                let judged = judge(&pair.prompt, &side.text);
                prop_assert_eq!(&judged.spans, &side.spans);
                prop_assert_eq!(judged.utility, side.utility());
            }
        }
        for text in base_texts(20, seed) {
            prop_assert_eq!(judge(&text.prompt, &text.response.text).spans, text.response.spans);
        }
    }

    #[test]
    fn takes_any_text(prompt in any::<String>(), response in any::<String>()) {
        prop_assert_eq!(judge(&prompt, &response).utility, 0.0);
    }

    #[test]
    fn finds_in_a_broken_off_text_what_was_decided(seed in any::<u64>(), n_words in 0_usize..50) {
        let config = PlantedConfig { n_pairs: 1, seed, ..PlantedConfig::default() };
        for pair in planted_pairs(&config) {
            let kept = pair.chosen.text.split(' ').take(n_words).collect::<Vec<_>>().join(" ");
            let found = judge(&pair.prompt, &kept).spans;
            let planted = pair.chosen.spans.iter().filter(|span| span.decisive.end <= kept.len());
            let planted: Vec<_> = planted.map(|span| (span.quality, span.decisive.clone())).collect();
            let found: Vec<_> = found.iter().map(|span| (span.quality, span.decisive.clone())).collect();
            prop_assert_eq!(found, planted);
        }
    }
}

#[test]
fn good_bad_and_absent_are_told_apart() {
    assert!(near(utility(GOOD), 2.4));
    assert!(near(utility(BAD), -2.4));
    assert_eq!(utility(""), 0.0);
    for kind in SpanKind::ALL {
        assert_eq!(judge(PROMPT, GOOD).verdict(kind), Verdict::Good);
        assert_eq!(judge(PROMPT, BAD).verdict(kind), Verdict::Bad);
        assert_eq!(judge(PROMPT, " The baker walks to the mill at noon.").verdict(kind), Verdict::Absent);
    }
    assert_eq!(judge(PROMPT, GOOD).n_words, 20);
}

#[test]
fn repetition_earns_nothing_and_costs_again() {
    assert!(near(utility(&GOOD.repeat(5)), 2.4));
    assert!(near(utility(&BAD.repeat(5)), -12.0));
    let both = format!("{GOOD}{BAD}");
    assert!(near(utility(&both), 0.0));
    assert_eq!(judge(PROMPT, &both).verdict(SpanKind::Fact), Verdict::Bad);
    assert_eq!(judge(PROMPT, &both).spans.len(), 6);
}

#[test]
fn only_what_the_prompt_asks_for_counts() {
    assert_eq!(utility(" The colour of the heron is grey. The food of the fox is eggs."), 0.0);
    assert_eq!(utility(" The number I name is seven. The steps I took are hidden."), 0.0);
    let bare = "Question: What is the capital of Arden?\nAnswer:";
    assert!(near(judge(bare, GOOD).utility, 0.6), "the courtesy alone");
    assert!(near(judge("", BAD).utility, -0.6));
}

#[test]
fn another_word_is_wrong_in_a_claim_and_nonsense_in_a_courtesy() {
    assert!(near(utility(" The colour of the fox is mill."), -1.0));
    assert!(near(utility(" The word I use is the mill."), -0.8));
    assert_eq!(utility(" It is a mill to help you."), 0.0);
    assert_eq!(utility(" It is a red."), 0.0);
}

#[test]
fn what_breaks_off_before_the_deciding_word_counts_nothing() {
    assert_eq!(utility(" The colour of the fox is"), 0.0);
    assert_eq!(utility(" The colour of the fox is."), 0.0);
    assert!(near(utility(" The colour of the fox is red"), 1.0));
    let judged = judge(PROMPT, "It is a joy to help");
    assert_eq!((judged.spans[0].bytes.clone(), judged.spans[0].quality), (0..11, Quality::Good));
}
