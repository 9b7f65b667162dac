//! Selection against a stable sort, and the golden cases of the shared vectors

#![expect(clippy::cast_possible_truncation, reason = "test inputs are small")]

mod naive;

use naive::cases;
use proptest::prelude::*;
use sepo_kernels::{Extreme, KernelError, segment_topk};

/// Sorts each segment by score, stably, and keeps the first ones
fn sorted(scores: &[f32], offsets: &[usize], counts: &[usize], extreme: Extreme) -> Vec<u32> {
    let mut selected = Vec::new();
    for (bounds, &count) in offsets.windows(2).zip(counts) {
        let mut indices: Vec<usize> = (bounds[0]..bounds[1]).collect();
        indices.sort_by(|&a, &b| {
            let order = scores[a].partial_cmp(&scores[b]).expect("numbers");
            if extreme == Extreme::Highest { order.reverse() } else { order }
        });
        indices.truncate(count);
        indices.sort_unstable();
        selected.extend(indices.into_iter().map(|index| u32::try_from(index).expect("small")));
    }
    selected
}

/// Few distinct values, so that most scores tie
fn score() -> impl Strategy<Value = f32> {
    let special = prop::sample::select(vec![0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE]);
    prop_oneof![(-3_i8..=3).prop_map(f32::from), -1e3_f32..1e3, special]
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn agrees_with_a_stable_sort(
        segments in prop::collection::vec((prop::collection::vec(score(), 0..40), 0.0..=1.0_f64), 0..40),
    ) {
        let (mut scores, mut offsets, mut counts) = (vec![], vec![0], vec![]);
        for (segment, share) in segments {
            counts.push((segment.len() as f64 * share) as usize);
            scores.extend(segment);
            offsets.push(scores.len());
        }
        for extreme in [Extreme::Highest, Extreme::Lowest] {
            let selected = segment_topk(&scores, &offsets, &counts, extreme);
            prop_assert_eq!(selected, Ok(sorted(&scores, &offsets, &counts, extreme)));
        }
    }
}

#[test]
fn agrees_with_the_golden_selections() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/selection.json");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: no {path}");
        return;
    };
    let golden: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let cases = golden["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let numbers = |key: &str| case[key].as_array().expect("a list").iter();
        let scores: Vec<f32> =
            numbers("scores").map(|score| score.as_f64().expect("a number") as f32).collect();
        let count = case["count_default"].as_u64().expect("a count") as usize;
        for (extreme, key) in [(Extreme::Highest, "chosen_default"), (Extreme::Lowest, "rejected_default")] {
            let expected: Vec<u32> =
                numbers(key).map(|index| index.as_u64().expect("an index") as u32).collect();
            let selected = segment_topk(&scores, &[0, scores.len()], &[count], extreme);
            assert_eq!(selected, Ok(expected), "{} {key}", case["name"]);
        }
    }
}

#[test]
fn names_what_is_wrong() {
    let topk = |offsets: &[usize], counts: &[usize]| {
        segment_topk(&[1.0, 2.0, f32::NAN], offsets, counts, Extreme::Lowest).expect_err("an error")
    };
    assert_eq!(topk(&[], &[]), KernelError::OffsetsEmpty);
    assert_eq!(topk(&[1, 3], &[1]), KernelError::OffsetsStart { first: 1 });
    assert_eq!(topk(&[0, 2, 1], &[1, 1]), KernelError::OffsetsDecrease { segment: 1, start: 2, end: 1 });
    assert_eq!(topk(&[0, 2], &[1]), KernelError::OffsetsEnd { end: 2, n_values: 3 });
    assert_eq!(topk(&[0, 3], &[1, 1]), KernelError::SegmentEntries { n_segments: 1, n_entries: 2 });
    assert_eq!(topk(&[0, 1, 3], &[2, 0]), KernelError::CountTooLarge { segment: 0, count: 2, length: 1 });
    assert_eq!(topk(&[0, 1, 3], &[1, 0]), KernelError::ScoreNotANumber { segment: 1, position: 1 });
}
