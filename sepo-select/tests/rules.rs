//! Every rule against its definition, written out slowly.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use proptest::collection::vec;
use proptest::prelude::*;
use sepo_select::{
    Compat, DropReason, EosRule, KeepFraction, PairScores, ResponseEnd, Rule, SelectConfig, SelectError,
    Side, select_pair,
};

/// Few values, so that ties, zeros of both signs and outliers are frequent.
fn scores() -> impl Strategy<Value = Vec<f32>> {
    let score = prop_oneof![
        4 => (-4i8..5).prop_map(|s| f32::from(s) / 2.0),
        1 => Just(-0.0f32),
        2 => -3.0f32..3.0,
        1 => prop_oneof![Just(1e30f32), Just(-1e30), Just(f32::MIN_POSITIVE)],
    ];
    vec(score, 0..24)
}

fn keep() -> impl Strategy<Value = KeepFraction> {
    (0u32..=1000).prop_map(|k| KeepFraction::try_from(f64::from(k) / 1000.0).unwrap())
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![
        Just(Rule::Sepo),
        Just(Rule::Salience),
        (-2i8..4).prop_map(|at| Rule::Threshold { at: f64::from(at) / 2.0 }),
        any::<u64>().prop_map(|seed| Rule::Random { seed }),
        Just(Rule::All),
    ]
}

prop_compose! {
    fn config()(
        rule in rule(), keep_chosen in keep(), keep_rejected in keep(),
        eos in prop_oneof![Just(EosRule::Rule), Just(EosRule::Never), Just(EosRule::Both)],
        compat in prop_oneof![Just(Compat::Exact), Just(Compat::Official)],
    ) -> SelectConfig {
        SelectConfig { rule, keep_chosen, keep_rejected, eos, compat, ..SelectConfig::default() }
    }
}

fn end() -> impl Strategy<Value = ResponseEnd> {
    prop_oneof![Just(ResponseEnd::Eos), Just(ResponseEnd::Open)]
}

fn indices(weights: &[f32]) -> Vec<usize> {
    assert!(weights.iter().all(|&w| w == 0.0 || w == 1.0));
    (0..weights.len()).filter(|&i| weights[i] != 0.0).collect()
}

/// Candidates sorted by key, stably; the first `count`, ascending.
fn first_by(mut candidates: Vec<usize>, count: usize, key: impl Fn(usize) -> f32) -> Vec<usize> {
    candidates.sort_by(|&a, &b| key(a).partial_cmp(&key(b)).unwrap());
    candidates.truncate(count);
    candidates.sort_unstable();
    candidates
}

/// What one side should select; `None` for the random rule, whose tokens are not defined otherwise.
fn naive(
    config: &SelectConfig,
    side: Side,
    scores: &[f32],
    closes: bool,
) -> (Vec<usize>, Option<Vec<usize>>) {
    let n = scores.len();
    let is_candidate = |&i: &usize| {
        let is_left_out = config.compat == Compat::Official && i == 0;
        let is_eos_apart = closes && config.eos != EosRule::Rule && i == n - 1;
        !is_left_out && !is_eos_apart
    };
    let candidates: Vec<usize> = (0..n).filter(is_candidate).collect();
    let keep = if side == Side::Chosen { config.keep_chosen } else { config.keep_rejected };
    let count = match config.compat {
        Compat::Exact => keep.count(candidates.len()),
        Compat::Official => keep.official_count(candidates.len()),
    };
    let sign = if side == Side::Chosen { 1.0 } else { -1.0 };
    let selected = match config.rule {
        Rule::Sepo => Some(first_by(candidates.clone(), count, |i| -sign * scores[i])),
        Rule::Salience => Some(first_by(candidates.clone(), count, |i| -scores[i].abs())),
        Rule::Threshold { at } => {
            Some(candidates.iter().copied().filter(|&i| f64::from(sign * scores[i]) >= at).collect())
        }
        Rule::All => Some(candidates.clone()),
        _ => None,
    };
    (candidates, selected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn selections_equal_their_definition(
        config in config(), row in any::<u64>(), chosen in scores(), rejected in scores(),
        chosen_end in end(), rejected_end in end(),
    ) {
        let pair = PairScores {
            row, chosen_scores: &chosen, rejected_scores: &rejected, chosen_end, rejected_end,
        };
        let selected = select_pair(&config, pair).unwrap();
        let sides = [
            (Side::Chosen, &chosen, chosen_end, &selected.chosen_weights),
            (Side::Rejected, &rejected, rejected_end, &selected.rejected_weights),
        ];
        let forced = config.eos == EosRule::Both && [chosen_end, rejected_end] == [ResponseEnd::Eos; 2];
        for (side, scores, end, weights) in sides {
            prop_assert_eq!(weights.len(), scores.len());
            let closes = end == ResponseEnd::Eos && !scores.is_empty();
            let (candidates, expected) = naive(&config, side, scores, closes);
            let mut found = indices(weights);
            if forced && closes {
                prop_assert_eq!(found.pop(), Some(scores.len() - 1));
            }
            let keep = if side == Side::Chosen { config.keep_chosen } else { config.keep_rejected };
            match expected {
                Some(expected) => prop_assert_eq!(found, expected),
                None => {
                    prop_assert!(found.iter().all(|i| candidates.contains(i)));
                    prop_assert_eq!(found.len(), config.compat.count(keep, candidates.len()));
                }
            }
        }
        let is_empty = |weights: &[f32]| indices(weights).is_empty();
        let expected = match (is_empty(&selected.chosen_weights), is_empty(&selected.rejected_weights)) {
            (false, false) => None,
            (true, false) => Some(DropReason::EmptyChosen),
            (false, true) => Some(DropReason::EmptyRejected),
            (true, true) => Some(DropReason::EmptyBoth),
        };
        prop_assert_eq!(selected.drop_reason(), expected);
    }

    #[test]
    fn a_score_that_is_not_finite_is_named(
        config in config(), row in any::<u64>(), chosen in scores(), at in any::<prop::sample::Index>(),
        bad in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
    ) {
        prop_assume!(!chosen.is_empty());
        let mut rejected = chosen.clone();
        let at = at.index(chosen.len());
        rejected[at] = bad;
        let pair = PairScores { row, chosen_scores: &chosen, rejected_scores: &rejected, ..PairScores::default() };
        let error = select_pair(&config, pair).unwrap_err();
        let is_named = matches!(
            error,
            SelectError::NonFiniteScore { row: r, side: Side::Rejected, token, .. } if (r, token) == (row, at)
        );
        prop_assert!(is_named);
    }

    #[test]
    fn fractions_are_exact(digits in 1usize..=15, numerator in any::<u64>(), n in any::<u32>()) {
        let denominator = 10u128.pow(u32::try_from(digits).unwrap());
        let numerator = u128::from(numerator) % denominator;
        let text = format!("0.{numerator:0digits$}");
        let keep: KeepFraction = text.parse().unwrap();
        let n = n as usize;
        let floor = usize::try_from(numerator * n as u128 / denominator).unwrap();
        prop_assert_eq!(keep.count(n), floor.max(1).min(n));
        // Up to 15 digits a float's shortest form is the text it was read from.
        prop_assert_eq!(KeepFraction::try_from(text.parse::<f64>().unwrap()).unwrap(), keep);
        prop_assert_eq!(keep.as_f64(), text.parse::<f64>().unwrap());
        prop_assert_eq!(keep.to_string().parse::<KeepFraction>().unwrap(), keep);
        let json = serde_json::to_string(&keep).unwrap();
        prop_assert_eq!(serde_json::from_str::<KeepFraction>(&json).unwrap(), keep);
    }

    #[test]
    fn text_is_a_fraction_or_an_error(text in "[-+.0-9eE% ]{0,12}") {
        if let Ok(keep) = text.parse::<KeepFraction>() {
            prop_assert!((0.0..=1.0).contains(&keep.as_f64()));
            prop_assert_eq!(keep.as_f64(), text.parse::<f64>().unwrap().abs());
        }
    }
}

#[test]
fn random_depends_on_seed_row_and_side_alone() {
    let scores = vec![0.0; 200];
    let draw = |seed, row| {
        let config = SelectConfig { rule: Rule::Random { seed }, ..SelectConfig::default() };
        let pair =
            PairScores { row, chosen_scores: &scores, rejected_scores: &scores, ..PairScores::default() };
        let selected = select_pair(&config, pair).unwrap();
        [indices(&selected.chosen_weights), indices(&selected.rejected_weights)]
    };
    let first = draw(1, 2);
    assert_eq!(first, draw(1, 2));
    assert_ne!(first[0], first[1]);
    assert_ne!(first, draw(1, 3));
    assert_ne!(first, draw(2, 2));
    assert_ne!(first, draw(2, 1));
    // Part of the contract: a seed means the same tokens in every release.
    assert_eq!(draw(0, 0)[0][..8], [4, 7, 9, 12, 14, 15, 18, 20]);
}

#[test]
fn random_draws_every_token_equally_often() {
    let scores = vec![0.0; 10];
    let config = SelectConfig { rule: Rule::Random { seed: 7 }, ..SelectConfig::default() };
    let mut n_drawn = [0u32; 10];
    for row in 0..20_000 {
        let pair =
            PairScores { row, chosen_scores: &scores, rejected_scores: &scores, ..PairScores::default() };
        for i in indices(&select_pair(&config, pair).unwrap().chosen_weights) {
            n_drawn[i] += 1;
        }
    }
    // Mean 6000, standard deviation 65.
    assert!(n_drawn.iter().all(|&n| n.abs_diff(6000) < 325), "{n_drawn:?}");
}

#[test]
fn numbers_outside_the_contract_are_named() {
    let parse = |text: &str| text.parse::<KeepFraction>().unwrap_err().to_string();
    assert_eq!(parse("30"), "30 is not between 0 and 1");
    assert_eq!(parse("-0.1"), "-0.1 is not between 0 and 1");
    assert_eq!(parse("1.01"), "1.01 is not between 0 and 1");
    assert_eq!(parse("30%"), "`30%` is not a decimal number such as 0.3");
    assert_eq!(
        parse(&format!("0.{:039}", 1)),
        "39 digits after the point are more than the 38 that are held exactly"
    );
    assert!(KeepFraction::try_from(f64::NAN).is_err());
    for (text, same) in [("1.000", "1"), ("00.30", "0.3"), (".3", "0.3"), ("0.", "0"), ("-0", "0")] {
        assert_eq!(text.parse::<KeepFraction>().unwrap().to_string(), same);
    }
    let config = SelectConfig { rule: Rule::Threshold { at: f64::NAN }, ..SelectConfig::default() };
    assert!(matches!(
        select_pair(&config, PairScores::default()).unwrap_err(),
        SelectError::NonFiniteThreshold { .. }
    ));
}

#[test]
fn settings_are_read_as_they_are_written_and_unknown_ones_refused() {
    let read = |json: &str| serde_json::from_str::<SelectConfig>(json);
    let json = r#"{"rule":{"threshold":{"at":0.5}},"keep_chosen":0.25,"eos":"both","compat":"official"}"#;
    let config = read(json).unwrap();
    assert_eq!(config.rule, Rule::Threshold { at: 0.5 });
    assert_eq!(config.keep_chosen.to_string(), "0.25");
    assert_eq!(read(&serde_json::to_string(&config).unwrap()).unwrap(), config);
    assert_eq!(read(r#"{"rule":"salience"}"#).unwrap().rule, Rule::Salience);
    assert!(read(r#"{"kepp_chosen":0.3}"#).is_err());
    assert!(read(r#"{"keep_chosen":30}"#).is_err());
}
