//! The worked selections of the shared vectors: the default and the script's conventions, on both sides.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fs;
use std::path::Path;

use sepo_select::{Compat, KeepFraction, PairScores, SelectConfig, Selected, select_pair};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    scores: Vec<f32>,
    keep: String,
    count_default: usize,
    chosen_default: Vec<usize>,
    rejected_default: Vec<usize>,
    count_official: usize,
    chosen_official_rank_order: Vec<usize>,
    rejected_official_rank_order: Vec<usize>,
}

fn indices(weights: &[f32]) -> Vec<usize> {
    (0..weights.len()).filter(|&i| weights[i] != 0.0).collect()
}

fn select(case: &Case, scores: &[f32], compat: Compat) -> [Vec<usize>; 2] {
    let keep: KeepFraction = case.keep.parse().unwrap();
    let config = SelectConfig { keep_chosen: keep, keep_rejected: keep, compat, ..SelectConfig::default() };
    let pair = PairScores { chosen_scores: scores, rejected_scores: scores, ..PairScores::default() };
    let Selected { chosen_weights, rejected_weights } = select_pair(&config, pair).unwrap();
    assert_eq!([chosen_weights.len(), rejected_weights.len()], [scores.len(); 2]);
    [indices(&chosen_weights), indices(&rejected_weights)]
}

fn sorted(indices: &[usize]) -> Vec<usize> {
    let mut indices = indices.to_vec();
    indices.sort_unstable();
    indices
}

#[test]
fn selections_equal_the_worked_ones() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/selection.json"));
    let Ok(json) = fs::read_to_string(path) else {
        println!("skipped: {} is absent", path.display());
        return;
    };
    let vectors: Vectors = serde_json::from_str(&json).unwrap();
    assert!(!vectors.cases.is_empty());
    for case in &vectors.cases {
        let name = &case.name;
        let keep: KeepFraction = case.keep.parse().unwrap();
        assert_eq!(keep.count(case.scores.len()), case.count_default, "{name}");
        assert_eq!(keep.official_count(case.scores.len()), case.count_official, "{name}");
        let expected = [case.chosen_default.clone(), case.rejected_default.clone()];
        assert_eq!(select(case, &case.scores, Compat::Exact), expected, "{name}");

        // The script's scores begin at the second response token: a first one, whatever its score, changes nothing.
        for first in [-100.0, 100.0] {
            let scores = [&[first], &case.scores[..]].concat();
            let selected =
                select(case, &scores, Compat::Official).map(|s| s.iter().map(|i| i - 1).collect::<Vec<_>>());
            let expected =
                [&case.chosen_official_rank_order, &case.rejected_official_rank_order].map(|o| sorted(o));
            assert_eq!(selected, expected, "{name}");
        }
    }
    println!("{} cases", vectors.cases.len());
}
