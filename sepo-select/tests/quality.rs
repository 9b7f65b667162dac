//! Metrics against their definitions.

use proptest::collection::vec;
use proptest::prelude::*;
use sepo_select::{MaskQuality, QualityError, Span, auroc, truth_mask};

fn scores() -> impl Strategy<Value = Vec<f32>> {
    let score = prop_oneof![
        6 => (-3i8..4).prop_map(f32::from),
        1 => prop_oneof![Just(-0.0f32), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
        2 => -3.0f32..3.0,
    ];
    vec(score, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn auroc_is_the_mean_over_all_pairs(positives in scores(), negatives in scores()) {
        let mut won = 0.0;
        for p in &positives {
            for n in &negatives {
                won += if p > n { 1.0 } else if p == n { 0.5 } else { 0.0 };
            }
        }
        let expected = won / (positives.len() * negatives.len()) as f64;
        prop_assert_eq!(auroc(&positives, &negatives).unwrap(), expected);
        let reversed = auroc(&negatives, &positives).unwrap();
        prop_assert!((reversed + expected - 1.0).abs() < 1e-12);
    }

    #[test]
    fn masks_are_counted(tokens in vec((any::<bool>(), any::<bool>()), 0..40)) {
        let weights: Vec<f32> = tokens.iter().map(|t| if t.0 { -0.5 } else { 0.0 }).collect();
        let truth: Vec<bool> = tokens.iter().map(|t| t.1).collect();
        let quality = MaskQuality::of(&weights, &truth).unwrap();
        let count = |f: fn(&&(bool, bool)) -> bool| tokens.iter().filter(f).count() as f64;
        let [selected, real, hits] = [count(|t| t.0), count(|t| t.1), count(|t| t.0 && t.1)];
        prop_assert_eq!(quality.precision(), (selected > 0.0).then(|| hits / selected));
        prop_assert_eq!(quality.recall(), (real > 0.0).then(|| hits / real));
        let mut twice = quality;
        twice += quality;
        prop_assert_eq!(twice.precision(), quality.precision());
        prop_assert_eq!(twice.prevalence(), quality.prevalence());
    }

    #[test]
    fn truth_is_a_shared_byte(
        tokens in vec((0u32..20, 0u32..6), 0..10), truth in vec((0u32..20, 0u32..6), 0..4),
    ) {
        let spans = |list: &[(u32, u32)]| -> Vec<Span> {
            list.iter().map(|&(start, length)| Span { start, end: start + length }).collect()
        };
        let (tokens, truth) = (spans(&tokens), spans(&truth));
        let within = |byte: u32, span: &Span| (span.start..span.end).contains(&byte);
        let expected: Vec<bool> = tokens
            .iter()
            .map(|token| (token.start..token.end).any(|byte| truth.iter().any(|span| within(byte, span))))
            .collect();
        prop_assert_eq!(truth_mask(&tokens, &truth), expected);
    }
}

#[test]
fn inputs_without_an_answer_are_named() {
    assert_eq!(auroc(&[], &[1.0]), Err(QualityError::EmptyClass { n_positives: 0, n_negatives: 1 }));
    assert_eq!(auroc(&[1.0], &[1.0, f32::NAN]), Err(QualityError::NotANumber { index: 2 }));
    assert_eq!(MaskQuality::of(&[1.0], &[]), Err(QualityError::Length { n_weights: 1, n_tokens: 0 }));
}
