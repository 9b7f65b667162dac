//! Rules that weigh, and shares of several responses, against slow code that says the same.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use proptest::collection::vec;
use proptest::prelude::*;
use sepo_data::{ScoredPair, ScoredResponse, ScoresMeta, ScoresWriter, SelectionReader};
use sepo_select::weigh::{
    Affine, ChangePoints, Decay, ExpClamp, RankLinear, SharedLength, SideRule, agreeing_segments,
    change_points, min_max, rank_linear,
};
use sepo_select::{
    EosRule, PairScores, Renormalize, ResponseEnd, Rule, Scope, SelectConfig, SelectError, select_batch,
    select_file, select_pair,
};

fn scores() -> impl Strategy<Value = Vec<f32>> {
    vec(prop_oneof![(-3i8..4).prop_map(f32::from), -4.0f32..4.0, Just(-0.0)], 1..20)
}

fn pair<'a>(chosen: &'a [f32], rejected: &'a [f32]) -> PairScores<'a> {
    PairScores {
        row: 5,
        chosen_scores: chosen,
        rejected_scores: rejected,
        chosen_end: ResponseEnd::Eos,
        rejected_end: ResponseEnd::Eos,
    }
}

fn weights(rule: Rule, chosen: &[f32], rejected: &[f32]) -> [Vec<f32>; 2] {
    let config = SelectConfig { rule, ..SelectConfig::default() };
    let selected = select_pair(&config, pair(chosen, rejected)).unwrap();
    [selected.chosen_weights, selected.rejected_weights]
}

#[expect(clippy::cast_possible_truncation, reason = "as the rules store them")]
fn each(scores: &[f32], weight: impl Fn(f64) -> f64) -> Vec<f32> {
    scores.iter().map(|s| weight(f64::from(*s)) as f32).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "as the rules store them")]
fn narrowed(weights: Vec<f64>) -> Vec<f32> {
    weights.into_iter().map(|w| w as f32).collect()
}

fn bit(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rules_are_their_transforms(chosen in scores(), rejected in scores()) {
        let wide = |scores: &[f32], sign: f64| scores.iter().map(|s| sign * f64::from(*s)).collect::<Vec<_>>();
        let (c, r) = (&chosen[..], &rejected[..]);
        let tis = ExpClamp { k: 2.0, mu: 0.5, ..ExpClamp::default() };
        prop_assert_eq!(
            weights(Rule::Tis(tis), c, r),
            [each(c, |s| tis.weight(s, SideRule::Same)), each(r, |s| tis.weight(s, SideRule::Opposite))]
        );
        let ends = RankLinear::default();
        prop_assert_eq!(
            weights(Rule::TisRank(ends), c, r),
            [narrowed(rank_linear(&wide(c, 1.0), ends)), narrowed(rank_linear(&wide(r, -1.0), ends))]
        );
        prop_assert_eq!(
            weights(Rule::Tgdpo(Affine { slope: 0.3 }), c, r),
            [each(c, |s| 1.0 + 0.3 * s), each(r, |s| 1.0 + 0.3 * -s)]
        );
        prop_assert_eq!(
            weights(Rule::MinMax, c, r),
            [narrowed(min_max(&wide(c, 1.0))), narrowed(min_max(&wide(r, -1.0)))]
        );
        let n = c.len().min(r.len());
        let tail = |len: usize| (0..len).map(|t| if t < n { 1.0 } else { 0.5 }).collect::<Vec<f32>>();
        prop_assert_eq!(weights(Rule::LdDpo(SharedLength { alpha: 0.5 }), c, r), [tail(c.len()), tail(r.len())]);
        let half = |len: usize| (0..len).map(|t| 0.5f32.powi(i32::try_from(t).unwrap() + 1)).collect::<Vec<f32>>();
        prop_assert_eq!(weights(Rule::D2po(Decay { gamma: 0.5 }), c, r), [half(c.len()), half(r.len())]);

        let mean = |scores: &[f32]| scores.iter().map(|s| f64::from(*s)).sum::<f64>() / scores.len() as f64;
        prop_assert_eq!(
            weights(Rule::Mean, c, r),
            [each(c, |s| bit(s > mean(c))), each(r, |s| bit(s < mean(r)))]
        );
        prop_assert_eq!(weights(Rule::Sign, c, r), [each(c, |s| bit(s > 0.0)), each(r, |s| bit(s < 0.0))]);
        let asr = |scores: Vec<f64>| {
            let mask = agreeing_segments(&scores, &change_points(&scores, ChangePoints::default()));
            mask.into_iter().map(|m| f32::from(u8::from(m))).collect::<Vec<f32>>()
        };
        prop_assert_eq!(
            weights(Rule::Asr(ChangePoints::default()), c, r),
            [asr(wide(c, 1.0)), asr(wide(r, -1.0))]
        );
    }

    #[test]
    fn opposite_thresholds_turn_around_and_negated_ones_are_mirrored(chosen in scores(), at in -2.0..2.0) {
        let of = |side_rule| {
            let config =
                SelectConfig { rule: Rule::Threshold { at }, side_rule: Some(side_rule), ..SelectConfig::default() };
            select_pair(&config, pair(&chosen, &chosen)).unwrap().rejected_weights
        };
        prop_assert_eq!(of(SideRule::Same), each(&chosen, |s| bit(s >= at)));
        prop_assert_eq!(of(SideRule::Negate), each(&chosen, |s| bit(s <= -at)));
        prop_assert_eq!(of(SideRule::Opposite), each(&chosen, |s| bit(s <= at)));
    }

    #[test]
    fn renormalized_weights_have_the_mean_1(chosen in scores(), rejected in scores()) {
        for rule in [Rule::Sepo, Rule::Tis(ExpClamp::default()), Rule::D2po(Decay::default())] {
            let config = SelectConfig { rule, renormalize: Renormalize::Count, ..SelectConfig::default() };
            let selected = select_pair(&config, pair(&chosen, &rejected)).unwrap();
            for weights in [selected.chosen_weights, selected.rejected_weights] {
                let mean = weights.iter().sum::<f32>() / weights.len() as f32;
                prop_assert!((mean - 1.0).abs() < 1e-5, "{} by {}", mean, rule.name());
            }
        }
    }

    #[test]
    fn a_closing_token_that_is_no_candidate_weighs_nothing(chosen in scores(), rejected in scores()) {
        for rule in [Rule::TisRank(RankLinear::default()), Rule::TReg, Rule::D2po(Decay::default()), Rule::Critical] {
            let [never, both] = [EosRule::Never, EosRule::Both].map(|eos| {
                select_pair(&SelectConfig { rule, eos, ..SelectConfig::default() }, pair(&chosen, &rejected)).unwrap()
            });
            prop_assert_eq!(never.chosen_weights.last(), Some(&0.0));
            prop_assert_eq!(both.rejected_weights.last(), Some(&1.0));
        }
    }

    #[test]
    fn a_batch_keeps_the_best_of_all_its_pairs(
        pairs in vec((scores(), scores()), 0..6), eos in prop_oneof![Just(EosRule::Rule), Just(EosRule::Both)],
    ) {
        let config = SelectConfig { scope: Scope::Batch { n_pairs: 6 }, eos, ..SelectConfig::default() };
        let given: Vec<_> = pairs.iter().map(|(c, r)| pair(c, r)).collect();
        let selected = select_batch(&config, &given).unwrap();
        for (side, sign) in [1.0, -1.0].into_iter().enumerate() {
            let scores = |p: usize| if side == 0 { &pairs[p].0 } else { &pairs[p].1 };
            let mut all: Vec<(f32, usize, usize)> = Vec::new();
            for p in 0..pairs.len() {
                let n = scores(p).len() - usize::from(eos == EosRule::Both);
                all.extend((0..n).map(|t| (-sign * scores(p)[t], p, t)));
            }
            let count = config.keep_chosen.count(all.len());
            all.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
            for (p, selected) in selected.iter().enumerate() {
                let weights = if side == 0 { &selected.chosen_weights } else { &selected.rejected_weights };
                for (t, weight) in weights.iter().enumerate() {
                    let closes = eos == EosRule::Both && t + 1 == weights.len();
                    let is_kept = closes || all[..count].iter().any(|kept| (kept.1, kept.2) == (p, t));
                    prop_assert_eq!(*weight == 1.0, is_kept);
                }
            }
        }
    }
}

fn response(scores: &[f32]) -> ScoredResponse {
    let n = u32::try_from(scores.len()).unwrap();
    let zeros = vec![0.0; scores.len()];
    ScoredResponse {
        ids: (10..10 + n).collect(),
        oracle_logps: zeros.clone(),
        reference_logps: zeros,
        scores: scores.to_vec(),
        ..ScoredResponse::default()
    }
}

#[test]
fn strata_of_length_share_among_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let (path, out) = (dir.path().join("scores.parquet"), dir.path().join("selection.parquet"));
    let score = |i: usize| ((i * 2_654_435_761) % 1009) as f32 / 250.0 - 2.0;
    let lengths = |p: usize| [1 + p * 7 % 23, 1 + p * 5 % 19];
    let pairs: Vec<[Vec<f32>; 2]> = (0..300)
        .map(|p| [0, 1].map(|side| (0..lengths(p)[side]).map(|t| score(p * 97 + side * 31 + t)).collect()))
        .collect();
    let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
    for (row, [chosen, rejected]) in pairs.iter().enumerate() {
        let (chosen, rejected) = (response(chosen), response(rejected));
        writer.write(&ScoredPair { row: row as u64, prompt_ids: vec![1], chosen, rejected }).unwrap();
    }
    writer.finish().unwrap();

    let config = SelectConfig { scope: Scope::Length, ..SelectConfig::default() };
    let report = select_file(&path, &out, &config).unwrap();
    assert_eq!(report.length_cuts.iter().map(|cuts| cuts.from_tokens).collect::<Vec<_>>(), [1, 2, 4, 8, 16]);
    assert_eq!(report.cuts, None);
    let kept: Vec<_> = SelectionReader::open(&out).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(kept.len() as u64, report.n_kept);
    for cuts in &report.length_cuts {
        for (side, sign) in [1.0, -1.0].into_iter().enumerate() {
            let mut all: Vec<(f32, usize, usize)> = Vec::new();
            for (p, pair) in pairs.iter().enumerate() {
                if pair[side].len().ilog2() == cuts.from_tokens.ilog2() {
                    all.extend(pair[side].iter().enumerate().map(|(t, s)| (-sign * s, p, t)));
                }
            }
            let count = config.keep_chosen.count(all.len());
            all.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
            let cut = if side == 0 { cuts.cuts.chosen } else { cuts.cuts.rejected };
            assert_eq!((cut.n_candidates, cut.n_selected), (all.len() as u64, count as u64));
            for pair in kept.iter().filter(|pair| {
                pairs[usize::try_from(pair.row).unwrap()][side].len().ilog2() == cuts.from_tokens.ilog2()
            }) {
                let weights = if side == 0 { &pair.chosen_weights } else { &pair.rejected_weights };
                for (t, weight) in weights.iter().enumerate() {
                    let place = (usize::try_from(pair.row).unwrap(), t);
                    let is_kept = all[..count].iter().any(|kept| (kept.1, kept.2) == place);
                    assert_eq!(*weight == 1.0, is_kept, "row {}, token {t}", pair.row);
                }
            }
        }
    }
}

#[test]
fn settings_without_a_meaning_are_refused() {
    let refused = |config: SelectConfig| config.check().unwrap_err().to_string();
    let default = SelectConfig::default();
    let scope = refused(SelectConfig { rule: Rule::TReg, scope: Scope::Length, ..default });
    assert!(scope.contains("`--scope length` has no meaning for `--rule t-reg`"), "{scope}");
    let side = refused(SelectConfig { rule: Rule::All, side_rule: Some(SideRule::Same), ..default });
    assert!(side.contains("`--side-rule same` has no meaning for `--rule all`"), "{side}");
    let decay = SelectConfig { rule: Rule::D2po(Decay { gamma: 2.0 }), ..default };
    assert_eq!(refused(decay), "the rule `d2po` cannot be used");
    assert_eq!(
        std::error::Error::source(&decay.check().unwrap_err()).unwrap().to_string(),
        "the setting `gamma` is 2; it must be above 0 and at most 1"
    );
    let huge = SelectConfig { rule: Rule::Tis(ExpClamp { k: 1e39, ..ExpClamp::default() }), ..default };
    let error = select_pair(&huge, pair(&[0.0], &[0.0])).unwrap_err();
    assert!(matches!(error, SelectError::NonFiniteWeight { row: 5, token: 0, .. }), "{error}");
    let json = r#"{"rule":{"tis":{"mu":2.0}},"scope":{"batch":{"n_pairs":4}},"side_rule":"same"}"#;
    let read: SelectConfig = serde_json::from_str(json).unwrap();
    assert_eq!(read.rule, Rule::Tis(ExpClamp { mu: 2.0, ..ExpClamp::default() }));
    assert_eq!(serde_json::from_str::<SelectConfig>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
}
