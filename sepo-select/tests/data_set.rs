//! A selection from a whole data set is what sorting all of it would give.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]
#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use proptest::prelude::*;
use sepo_data::{ScoredPair, ScoredResponse, ScoresMeta, ScoresWriter, SelectionReader, Side};
use sepo_select::{
    Compat, DataSetCounter, DataSetCuts, EosRule, KeepFraction, PairScores, ResponseEnd, Rule, Scope,
    SelectConfig, SelectError, Selected, select_file, select_pair,
};

#[derive(Debug, Clone)]
struct Pair {
    scores: [Vec<f32>; 2],
    ends: [ResponseEnd; 2],
}

impl Pair {
    fn scores(&self, row: u64) -> PairScores<'_> {
        PairScores {
            row,
            chosen_scores: &self.scores[0],
            rejected_scores: &self.scores[1],
            chosen_end: self.ends[0],
            rejected_end: self.ends[1],
        }
    }
}

fn selected(config: &SelectConfig, pairs: &[Pair]) -> Result<(Vec<Selected>, DataSetCuts), SelectError> {
    let rows = || (0..).zip(pairs).map(|(row, pair)| pair.scores(row));
    let mut counter = DataSetCounter::new(config)?;
    rows().try_for_each(|pair| counter.add(pair))?;
    let mut refiner = counter.refine()?;
    rows().try_for_each(|pair| refiner.add(pair))?;
    let mut selector = refiner.finish()?;
    let selected = rows().map(|pair| selector.select(pair)).collect::<Result<_, _>>()?;
    Ok((selected, selector.finish()?))
}

/// All candidates of a side in one list, sorted, the first ones marked.
fn naive(config: &SelectConfig, pairs: &[Pair], side: usize) -> (Vec<Vec<f32>>, Option<f32>) {
    let mut all = Vec::new();
    for (p, pair) in pairs.iter().enumerate() {
        let closes = pair.ends[side] == ResponseEnd::Eos;
        for (t, &score) in pair.scores[side].iter().enumerate() {
            let is_closing = closes && t + 1 == pair.scores[side].len();
            let is_first = t == 0 && config.compat == Compat::Official;
            if !(is_first || is_closing && config.eos != EosRule::Rule) {
                let rank = match (config.rule, side) {
                    (Rule::Salience, _) => -score.abs(),
                    (_, 0) => -score,
                    _ => score,
                };
                all.push((rank, p, t));
            }
        }
    }
    let keep = [config.keep_chosen, config.keep_rejected][side];
    let count = config.compat.count(keep, all.len());
    all.sort_by(|a, b| a.0.partial_cmp(&b.0).unwrap());
    let mut weights: Vec<Vec<f32>> = pairs.iter().map(|pair| vec![0.0; pair.scores[side].len()]).collect();
    all[..count].iter().for_each(|&(_, p, t)| weights[p][t] = 1.0);
    if config.eos == EosRule::Both {
        for (pair, weights) in pairs.iter().zip(&mut weights) {
            if pair.ends == [ResponseEnd::Eos; 2] {
                *weights.last_mut().unwrap() = 1.0;
            }
        }
    }
    let last = all[..count].last().map(|&(_, p, t)| pairs[p].scores[side][t]);
    (weights, last.map(|score| if config.rule == Rule::Salience { score.abs() } else { score }))
}

fn any_score() -> impl Strategy<Value = f32> {
    prop_oneof![
        // Many ties, both zeros, and neighbours that differ in the last bit alone.
        (-3i8..4).prop_map(|n| f32::from(n) / 2.0),
        Just(-0.0),
        (0u32..5, any::<bool>()).prop_map(|(n, sign)| {
            let value = f32::from_bits(1.0f32.to_bits() + n);
            if sign { -value } else { value }
        }),
        -5.0f32..5.0,
        any::<f32>().prop_filter("finite", |score| score.is_finite()),
    ]
}

fn any_pair() -> impl Strategy<Value = Pair> {
    let response = || {
        (prop::collection::vec(any_score(), 0..9), any::<bool>()).prop_map(|(scores, closes)| {
            let end = if closes && !scores.is_empty() { ResponseEnd::Eos } else { ResponseEnd::Open };
            (scores, end)
        })
    };
    (response(), response())
        .prop_map(|((a, a_end), (b, b_end))| Pair { scores: [a, b], ends: [a_end, b_end] })
}

fn any_keep() -> impl Strategy<Value = KeepFraction> {
    prop_oneof![Just("0"), Just("0.07"), Just("0.3"), Just("0.5"), Just("0.999"), Just("1")]
        .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_is_what_sorting_everything_gives(
        pairs in prop::collection::vec(any_pair(), 0..12),
        rule in prop_oneof![Just(Rule::Sepo), Just(Rule::Salience)],
        (keep_chosen, keep_rejected) in (any_keep(), any_keep()),
        eos in prop_oneof![Just(EosRule::Rule), Just(EosRule::Never), Just(EosRule::Both)],
        compat in prop_oneof![Just(Compat::Exact), Just(Compat::Official)],
    ) {
        let config =
            SelectConfig { rule, keep_chosen, keep_rejected, eos, compat, scope: Scope::DataSet, ..SelectConfig::default() };
        let (found, cuts) = selected(&config, &pairs).unwrap();
        let [(chosen, chosen_last), (rejected, rejected_last)] =
            [0, 1].map(|side| naive(&config, &pairs, side));
        for (i, found) in found.iter().enumerate() {
            prop_assert_eq!(&found.chosen_weights, &chosen[i]);
            prop_assert_eq!(&found.rejected_weights, &rejected[i]);
        }
        prop_assert_eq!(cuts.chosen.score, chosen_last.map(f64::from));
        prop_assert_eq!(cuts.rejected.score, rejected_last.map(f64::from));
    }
}

fn open(scores: [&[f32]; 2]) -> Pair {
    Pair { scores: scores.map(<[f32]>::to_vec), ends: [ResponseEnd::Open; 2] }
}

fn data_set(rule: Rule) -> SelectConfig {
    SelectConfig { rule, scope: Scope::DataSet, ..SelectConfig::default() }
}

#[test]
fn equal_scores_are_taken_in_the_order_of_the_file() {
    let pairs = vec![open([&[1.5; 4], &[-1.5; 4]]); 5];
    let (found, cuts) = selected(&data_set(Rule::Sepo), &pairs).unwrap();
    // Six of twenty.
    let n: Vec<f32> = found.iter().map(|pair| pair.chosen_weights.iter().sum()).collect();
    assert_eq!(n, [4.0, 2.0, 0.0, 0.0, 0.0]);
    assert_eq!(found[1].rejected_weights, [1.0, 1.0, 0.0, 0.0]);
    let cut = cuts.chosen;
    assert_eq!((cut.n_candidates, cut.n_selected, cut.score, cut.n_ties_left), (20, 6, Some(1.5), 14));
}

#[test]
fn a_random_selection_has_the_size_of_the_best_one_and_follows_its_seed() {
    let pairs = vec![open([&[0.0; 50], &[0.0; 70]]); 40];
    let draw = |seed| selected(&data_set(Rule::Random { seed }), &pairs).unwrap();
    let (first, cuts) = draw(1);
    assert_eq!((cuts.chosen.n_selected, cuts.rejected.n_selected, cuts.chosen.score), (600, 840, None));
    let count = |pairs: &[Selected]| pairs.iter().map(|p| p.chosen_weights.iter().sum::<f32>()).sum::<f32>();
    assert!((count(&first) - 600.0).abs() < 0.5);
    assert_eq!(draw(1).0, first);
    assert_ne!(draw(2).0, first);
    // Spread over pairs, as a sum of 50 draws with probability 0.3 is.
    assert!(first.iter().all(|pair| (3.0f32..28.0).contains(&pair.chosen_weights.iter().sum())));
}

#[test]
fn what_has_no_meaning_is_refused() {
    for rule in [Rule::All, Rule::Threshold { at: 0.5 }] {
        let error = DataSetCounter::new(&data_set(rule)).unwrap_err();
        assert!(matches!(error, SelectError::ScopeWithoutMeaning { rule: name, .. } if name == rule.name()));
    }
    let error = select_pair(&data_set(Rule::Sepo), PairScores::default()).unwrap_err();
    assert!(matches!(error, SelectError::OtherScope { scope: Scope::DataSet }));
    let error = DataSetCounter::new(&SelectConfig::default()).unwrap_err();
    assert!(matches!(error, SelectError::OtherScope { scope: Scope::Response }));
}

#[test]
fn a_score_that_is_no_number_names_row_side_and_token() {
    let pairs = [open([&[1.0], &[2.0]]), open([&[1.0, 2.0], &[0.0, f32::NAN]])];
    let error = selected(&data_set(Rule::Sepo), &pairs).unwrap_err();
    let expected = matches!(
        error,
        SelectError::NonFiniteScore { row: 1, side: Side::Rejected, token: 1, score } if score.is_nan()
    );
    assert!(expected, "{error}");
}

#[test]
fn passes_over_other_scores_are_told() {
    let pairs = [open([&[1.0, 2.0, 3.0], &[2.0, 3.0, 4.0]]), open([&[5.0], &[6.0]])];
    let mut counter = DataSetCounter::new(&data_set(Rule::Sepo)).unwrap();
    pairs.iter().try_for_each(|pair| counter.add(pair.scores(0))).unwrap();
    let mut refiner = counter.refine().unwrap();
    refiner.add(pairs[0].scores(0)).unwrap();
    assert!(matches!(refiner.clone().finish(), Err(SelectError::PassesDiffer)));
    refiner.add(pairs[1].scores(0)).unwrap();
    let mut selector = refiner.finish().unwrap();
    selector.select(pairs[0].scores(0)).unwrap();
    assert!(matches!(selector.finish(), Err(SelectError::PassesDiffer)));
}

#[test]
fn a_file_gives_what_slices_give_and_drops_pairs_with_an_empty_side() {
    let dir = tempfile::tempdir().unwrap();
    let (scores, out) = (dir.path().join("scores.parquet"), dir.path().join("selection.parquet"));
    let score = |i: u64| ((i * 2_654_435_761) % 1009) as f32 / 250.0 - 2.0;
    let pairs: Vec<Pair> = (0..3000u64)
        .map(|row| {
            let list = |seed, n| (0..n).map(|i| score(row * 37 + seed + i * i)).collect::<Vec<_>>();
            open([&list(1, 1 + row % 5), &list(9, 1 + row % 7)])
        })
        .collect();
    let response = |scores: &[f32]| ScoredResponse {
        ids: (0..scores.len() as u32).collect(),
        oracle_logps: scores.to_vec(),
        reference_logps: vec![0.0; scores.len()],
        scores: scores.to_vec(),
        ..ScoredResponse::default()
    };
    let mut writer = ScoresWriter::create(&scores, ScoresMeta::default()).unwrap();
    for (row, pair) in (0..).zip(&pairs) {
        let [chosen, rejected] = [0, 1].map(|side| response(&pair.scores[side]));
        writer.write(&ScoredPair { row, prompt_ids: vec![1], chosen, rejected }).unwrap();
    }
    writer.finish().unwrap();

    let config = data_set(Rule::Sepo);
    let report = select_file(&scores, &out, &config).unwrap();
    let (expected, cuts) = selected(&config, &pairs).unwrap();
    assert_eq!(report.cuts, Some(cuts));
    let kept: Vec<_> = (0u64..).zip(&expected).filter(|(_, pair)| pair.drop_reason().is_none()).collect();
    assert!(kept.len() < 2500 && kept.len() > 500, "{}", kept.len());
    assert_eq!((report.n_kept, report.n_pairs), (kept.len() as u64, 3000));
    assert_eq!(report.n_dropped.values().sum::<u64>(), 3000 - report.n_kept);
    let reader = SelectionReader::open(&out).unwrap();
    assert_eq!(reader.meta().keep_chosen, None, "no response keeps a fixed share");
    assert_eq!(reader.meta().settings["scope"], "data-set");
    for ((row, expected), found) in kept.into_iter().zip(reader) {
        let found = found.unwrap();
        assert_eq!(found.row, row);
        assert_eq!(found.chosen_weights, expected.chosen_weights);
        assert_eq!(found.rejected_weights, expected.rejected_weights);
    }
}
