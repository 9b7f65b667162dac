//! Mixing, leaving out duplicates, splitting: each alone and all together, against slow and obvious twins.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use sepo_data::{
    DataError, Dedup, EvalFraction, Mix, MixEnd, PairContent, PairRow, PairSource, Part, PreferencePair,
    SourceConfig, pair_hash,
};
use tempfile::TempDir;

/// Files of JSON lines; `None` is a row that is no pair.
struct Files {
    dir: TempDir,
    paths: Vec<String>,
}

impl Files {
    fn new(files: &[Vec<Option<u32>>]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |(i, rows): (usize, &Vec<Option<u32>>)| {
            let path = dir.path().join(format!("{i}.jsonl"));
            let line = |row: &Option<u32>| match row {
                Some(id) => {
                    format!("{{\"prompt\": \"{}\", \"chosen\": \"c{id}\", \"rejected\": \"r\"}}\n", id % 7)
                }
                None => "{\"prompt\": \"\"}\n".to_owned(),
            };
            std::fs::write(&path, rows.iter().map(line).collect::<String>()).unwrap();
            path.display().to_string()
        };
        let paths = files.iter().enumerate().map(write).collect();
        Self { dir, paths }
    }

    fn open(&self, config: &SourceConfig) -> PairSource {
        PairSource::open(&self.paths, config).unwrap()
    }

    fn pairs(&self, config: &SourceConfig) -> Vec<PreferencePair> {
        pairs(self.open(config))
    }

    fn dedup(&self, bytes_in_memory: u64) -> Option<Dedup> {
        Some(Dedup { bytes_in_memory, dir: self.dir.path().join("scratch") })
    }
}

fn pairs(source: impl Iterator<Item = Result<PairRow, DataError>>) -> Vec<PreferencePair> {
    let pair = |row: Result<PairRow, DataError>| match row.unwrap() {
        PairRow::Pair(pair) => Some(pair),
        PairRow::Bad(_) => None,
    };
    source.filter_map(pair).collect()
}

fn id(pair: &PreferencePair) -> u32 {
    match &pair.content {
        PairContent::Text { chosen, .. } => chosen[1..].parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

fn ids(pairs: &[PreferencePair]) -> Vec<u32> {
    pairs.iter().map(id).collect()
}

/// Which input a pair came from.
fn input(pair: &PreferencePair) -> usize {
    Path::new(pair.file.as_path()).file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

fn part(fraction: f64, part: Part) -> Option<(EvalFraction, Part)> {
    Some((EvalFraction::new(fraction).unwrap(), part))
}

fn mix(weights: &[f64], seed: u64, end: MixEnd) -> Option<Mix> {
    Some(Mix { weights: weights.to_vec(), seed, end })
}

/// One to four files with a good first row, among few different pairs.
fn files() -> impl Strategy<Value = Vec<Vec<Option<u32>>>> {
    let row = prop_oneof![6 => (0_u32..60).prop_map(Some), 1 => Just(None)];
    let file = (0_u32..60, prop::collection::vec(row, 0..60))
        .prop_map(|(first, rest)| std::iter::once(Some(first)).chain(rest).collect::<Vec<_>>());
    prop::collection::vec(file, 2..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_pair_is_in_both_parts_and_each_is_in_one(rows in files(), fraction in 0.01..0.99) {
        let files = Files::new(&rows);
        let of = |which| files.pairs(&SourceConfig { part: part(fraction, which), ..SourceConfig::default() });
        let (train, eval) = (of(Part::Train), of(Part::Eval));
        let hashes = |pairs: &[PreferencePair]| -> BTreeSet<_> {
            pairs.iter().map(|pair| pair_hash(&pair.content)).collect()
        };
        prop_assert!(hashes(&train).is_disjoint(&hashes(&eval)));
        let mut both = [train, eval].concat();
        both.sort_by_key(|pair| pair.row);
        prop_assert_eq!(both, files.pairs(&SourceConfig::default()));
    }

    #[test]
    fn the_part_of_a_pair_depends_on_nothing_but_the_pair(
        rows in files(), fraction in 0.01..0.99, seed: u64, all: bool,
    ) {
        let files = Files::new(&rows);
        let fraction = EvalFraction::new(fraction).unwrap();
        let end = if all { MixEnd::All } else { MixEnd::First };
        let mixed = SourceConfig {
            mix: mix(&vec![1.0; rows.len()], seed, end),
            dedup: files.dedup(0),
            part: Some((fraction, Part::Eval)),
            ..SourceConfig::default()
        };
        let wanted = |pair: &PreferencePair| fraction.part(pair_hash(&pair.content)) == Part::Eval;
        let unsplit = SourceConfig { part: None, ..mixed.clone() };
        let expected: Vec<PreferencePair> = files.pairs(&unsplit).into_iter().filter(wanted).collect();
        // Rows keep their numbers, too.
        prop_assert_eq!(files.pairs(&mixed), expected);
    }

    #[test]
    fn what_a_smaller_share_holds_out_a_larger_one_does_too(id: u32, a in 0.01..0.99, b in 0.01..0.99) {
        let content = PairContent::Tokens { prompt_ids: vec![id], chosen_ids: vec![1], rejected_ids: vec![2] };
        let part = |share: f64| EvalFraction::new(share).unwrap().part(pair_hash(&content));
        let (less, more) = (f64::min(a, b), f64::max(a, b));
        prop_assert!(part(less) == Part::Train || part(more) == Part::Eval);
    }

    #[test]
    fn of_equal_pairs_the_first_stays_in_memory_and_on_disk(rows in files()) {
        let files = Files::new(&rows);
        let all = files.pairs(&SourceConfig::default());
        let mut seen = BTreeSet::new();
        let expected: Vec<PreferencePair> = all.iter().filter(|pair| seen.insert(id(pair))).cloned().collect();
        for bytes in [0, 200, 1 << 20] {
            let mut source = files.open(&SourceConfig { dedup: files.dedup(bytes), ..SourceConfig::default() });
            prop_assert_eq!(pairs(source.by_ref()), expected.clone());
            let counts = source.tally().counts();
            prop_assert_eq!(counts.n_duplicates, (all.len() - expected.len()) as u64);
            prop_assert_eq!(counts.n_rows, rows.iter().flatten().count() as u64);
        }
    }

    #[test]
    fn a_mix_keeps_the_order_of_each_input_and_takes_nothing_twice(
        rows in files(), seed: u64, weight in 0.1..10.0, unique: bool,
    ) {
        let files = Files::new(&rows);
        let mut weights = vec![1.0; rows.len()];
        weights[0] = weight;
        let dedup = if unique { files.dedup(1 << 20) } else { None };
        let config = |end| SourceConfig { mix: mix(&weights, seed, end), dedup: dedup.clone(), ..SourceConfig::default() };
        let mut source = files.open(&config(MixEnd::All));
        let all = pairs(source.by_ref());
        prop_assert_eq!(source.tally().counts().ended_by, None);
        prop_assert_eq!(files.pairs(&config(MixEnd::All)), all.clone(), "the same again");
        prop_assert!(all.is_sorted_by(|a, b| a.row < b.row));
        let mut places: Vec<(usize, u64)> = all.iter().map(|pair| (input(pair), pair.file_row)).collect();
        for of in 0..rows.len() {
            prop_assert!(places.iter().filter(|place| place.0 == of).is_sorted_by(|a, b| a.1 < b.1));
        }
        places.sort_unstable();
        let mut expected = places.clone();
        expected.dedup();
        prop_assert_eq!(&places, &expected);
        if unique {
            let found: BTreeSet<u32> = ids(&all).into_iter().collect();
            let wanted: BTreeSet<u32> = rows.iter().flatten().flatten().copied().collect();
            prop_assert_eq!(found.len(), all.len());
            prop_assert_eq!(found, wanted);
        } else {
            prop_assert_eq!(all.len(), rows.iter().flatten().flatten().count());
        }
        // The shorter mix is how the longer one begins.
        let mut source = files.open(&config(MixEnd::First));
        let first = pairs(source.by_ref());
        prop_assert_eq!(&all[..first.len()], &first[..]);
        prop_assert!(source.tally().counts().ended_by.is_some());
    }
}

#[test]
fn shares_are_of_usable_pairs_that_are_left() {
    // Of the second input every other row is no pair, and every other pair is in the first input already.
    let first: Vec<_> = (0..4000).map(Some).collect();
    let second: Vec<_> = (0..40_000)
        .map(|i| if i % 2 == 0 { None } else { Some(if i % 4 == 1 { i / 4 } else { 10_000 + i }) })
        .collect();
    let files = Files::new(&[first, second]);
    let config = SourceConfig {
        mix: mix(&[1.0, 1.0], 4, MixEnd::First),
        dedup: files.dedup(1 << 20),
        ..SourceConfig::default()
    };
    let mut source = files.open(&config);
    let all = pairs(source.by_ref());
    let counts = source.tally().counts();
    assert_eq!(counts.inputs.iter().sum::<u64>(), all.len() as u64);
    assert!(counts.n_duplicates > 1000 && counts.n_bad > 3000, "{counts:?}");
    let share = counts.inputs[0] as f64 / all.len() as f64;
    assert!((share - 0.5).abs() < 0.03, "{share}");
}

#[test]
fn a_limit_counts_rows_before_anything_is_left_out() {
    let files = Files::new(&[vec![Some(1), None, Some(1), Some(2), Some(3)], vec![Some(4)]]);
    let limited =
        |limit| SourceConfig { limit: Some(limit), dedup: files.dedup(0), ..SourceConfig::default() };
    for (limit, expected) in [(0, vec![]), (3, vec![1]), (4, vec![1, 2]), (9, vec![1, 2, 3, 4])] {
        let mut source = files.open(&limited(limit));
        assert_eq!(ids(&pairs(source.by_ref())), expected);
        assert_eq!(source.n_rows(), limit.min(6));
    }
}

#[test]
fn mixes_of_different_formats_are_fine_and_weights_must_fit() {
    let files = Files::new(&[vec![Some(1); 9]]);
    let ids = files.dir.path().join("ids.jsonl");
    std::fs::write(&ids, "{\"prompt_ids\": [], \"chosen_ids\": [1], \"rejected_ids\": [2]}\n").unwrap();
    let inputs = [files.paths[0].clone(), ids.display().to_string()];
    let config =
        |weights: &[f64]| SourceConfig { mix: mix(weights, 0, MixEnd::All), ..SourceConfig::default() };
    let source = PairSource::open(&inputs, &config(&[0.5, 0.5])).unwrap();
    let formats: Vec<String> = source.formats().map(|found| found.format.to_string()).collect();
    assert_eq!(formats, ["explicit", "tokenized"]);
    let kinds: BTreeMap<bool, usize> = pairs(source).iter().fold(BTreeMap::new(), |mut n, pair| {
        *n.entry(matches!(pair.content, PairContent::Tokens { .. })).or_default() += 1;
        n
    });
    assert_eq!(kinds, BTreeMap::from([(false, 9), (true, 1)]));
    for (weights, message) in [
        (&[1.0][..], "a mix of 2 inputs has 1 weights"),
        (&[1.0, 0.0], "weight 0 of input 1 of the mix"),
        (&[1.0, f64::INFINITY], "weight inf"),
    ] {
        let error = PairSource::open(&inputs, &config(weights)).err().unwrap().to_string();
        assert!(error.contains(message), "{error}");
    }
    let error = PairSource::open(&inputs[..1], &config(&[1.0])).err().unwrap().to_string();
    assert!(error.contains("a mix of 1 inputs"), "{error}");
}
