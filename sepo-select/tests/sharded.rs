//! Scoring that is stopped anywhere goes on and ends with the bytes of scoring that was not.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::fs;
use std::path::Path;

use sepo_data::{
    OtherRun, PairContent, PairTokenizer, PreferencePair, ScoresMeta, ScoresReader, ShardError, ShardStore,
    SpecialTokens, TokenizeConfig,
};
use sepo_model::{Model, ModelConfig};
use sepo_select::{ScoreError, ScoreReport, Scorer, ShardConfig, ShardedScores};
use serde_json::Map;

const CONFIG: ShardConfig = ShardConfig { tokens_per_batch: 40, tokens_per_shard: 100 };

fn model(seed: u64) -> Model {
    let config = r#"{"model_type": "llama", "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 1, "num_attention_heads": 2, "initializer_range": 0.3}"#;
    Model::random(ModelConfig::from_json(config).unwrap(), seed).unwrap()
}

/// Pairs of many lengths, of which the tokenizer refuses every seventh and the last two.
fn pairs() -> Vec<PreferencePair> {
    let ids = |n: u64, by: u64| (0..n).map(|i| u32::try_from((i * by + n) % 29).unwrap()).collect::<Vec<_>>();
    let pair = |row: u64| {
        let chosen_ids = ids(2 + row % 9, 5);
        let is_bad = row % 7 == 3 || row > 57;
        let rejected_ids = if is_bad { chosen_ids.clone() } else { ids(1 + row % 11, 3) };
        let content = PairContent::Tokens { prompt_ids: ids(1 + row % 4, 2), chosen_ids, rejected_ids };
        PreferencePair { row: 1000 + row, file: std::sync::Arc::default(), file_row: row, content }
    };
    (0..60).map(pair).collect()
}

struct World {
    models: [Model; 2],
    tokenizer: PairTokenizer,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let config = TokenizeConfig::default();
        let tokenizer = PairTokenizer::ids_only(Some(29), SpecialTokens::default(), &config).unwrap();
        Self { models: [model(1), model(2)], tokenizer, dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Scores into `name`, but stops after `n_pairs` pairs of this run; how many pairs it was given.
    fn score(&self, name: &str, n_pairs: usize) -> Result<(Option<ScoreReport>, u64), ScoreError> {
        let identity = Map::from_iter([("name".to_owned(), "it".into())]);
        let store = ShardStore::open(self.path(&format!("{name}.parts")), identity, OtherRun::Refuse)?;
        let done = store.done().to_vec();
        let undone = (0..).zip(pairs()).filter(|(place, _)| !done.iter().any(|range| range.contains(place)));
        let undone: Vec<_> = undone.map(|(_, pair)| pair).collect();
        let mut stream = self.tokenizer.encode_stream(undone);
        let mut scorer = Scorer::new(&self.models[0], &self.models[1])?;
        let mut scores = ShardedScores::new(&mut scorer, CONFIG, store, ScoresMeta::default());
        let mut n_pushed = 0;
        while let Some(pair) = stream.next() {
            let Ok(pair) = pair else { continue };
            if n_pushed == n_pairs {
                return Ok((None, scores.progress().n_pairs));
            }
            scores.push(pair, stream.report())?;
            n_pushed += 1;
        }
        let finished = scores.finish(stream.report())?;
        let n_scored = finished.progress().n_pairs;
        let report = finished.write(self.path(name), ScoresMeta::default(), || true)?;
        assert!(!self.path(&format!("{name}.parts")).exists());
        Ok((report, n_scored))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}

fn shards(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("part-")).count()
}

#[test]
fn stopped_after_any_number_of_pairs_it_goes_on_and_ends_with_the_same_bytes() {
    let world = World::new();
    let (report, n_scored) = world.score("whole", usize::MAX).unwrap();
    let report = report.unwrap();
    assert_eq!((report.n_pairs, n_scored), (50, 50));
    for n_pairs in (1..50).step_by(4) {
        let (none, n_before) = world.score("stopped", n_pairs).unwrap();
        assert!(none.is_none() && !world.path("stopped").exists());
        let (again, n_after) = world.score("stopped", usize::MAX).unwrap();
        assert_eq!(again.as_ref(), Some(&report), "{n_pairs}");
        assert!(n_before + n_after >= 50 && n_after < 50 || n_before < 15, "{n_before} and {n_after}");
        assert!(world.bytes("stopped") == world.bytes("whole"), "{n_pairs}");
        fs::remove_file(world.path("stopped")).unwrap();
    }
    // Stopped again and again, each time after a shard and a bit.
    let mut n_stops = 0;
    while world.score("often", 14).unwrap().0.is_none() {
        n_stops += 1;
    }
    assert!(n_stops > 2, "{n_stops}");
    assert!(world.bytes("often") == world.bytes("whole"));
}

#[test]
fn a_damaged_shard_is_made_again_and_the_others_are_kept() {
    let world = World::new();
    world.score("whole", usize::MAX).unwrap();
    let mut n_shards = 1;
    let mut index = 0;
    while index < n_shards {
        world.score("damaged", 45).unwrap();
        let parts = world.path("damaged.parts");
        n_shards = shards(&parts);
        let path = parts.join(format!("part-{index:05}.parquet"));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let n_again = world.score("damaged", usize::MAX).unwrap().1;
        assert!((5..30).contains(&n_again), "{n_again}");
        assert!(world.bytes("damaged") == world.bytes("whole"), "shard {index}");
        index += 1;
    }
    assert!(n_shards > 3, "{n_shards}");
}

#[test]
fn the_scores_are_those_of_the_batches_between_the_borders() {
    let world = World::new();
    world.score("whole", usize::MAX).unwrap();
    let stored: Vec<_> = ScoresReader::open(world.path("whole")).unwrap().map(Result::unwrap).collect();
    let good: Vec<_> = world.tokenizer.encode_stream(pairs()).filter_map(Result::ok).collect();
    let scored = Scorer::new(&world.models[0], &world.models[1]).unwrap().score(&good).unwrap();
    assert_eq!(stored.len(), scored.len());
    for (stored, scored) in stored.iter().zip(&scored) {
        assert_eq!((stored.row, &stored.chosen.ids), (scored.row, &scored.chosen.ids));
        for (a, b) in stored.rejected.scores.iter().zip(&scored.rejected.scores) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
    }
}

#[test]
fn writing_that_is_stopped_leaves_the_shards_and_no_file() {
    let world = World::new();
    let store = ShardStore::open(world.path("x.parts"), Map::new(), OtherRun::Refuse).unwrap();
    let mut scorer = Scorer::new(&world.models[0], &world.models[1]).unwrap();
    let mut scores = ShardedScores::new(&mut scorer, CONFIG, store, ScoresMeta::default());
    let mut stream = world.tokenizer.encode_stream(pairs());
    while let Some(pair) = stream.next() {
        let Ok(pair) = pair else { continue };
        scores.push(pair, stream.report()).unwrap();
    }
    let mut left = 30;
    let go_on = || {
        left -= 1;
        left > 0
    };
    let finished = scores.finish(stream.report()).unwrap();
    assert!(finished.write(world.path("x"), ScoresMeta::default(), go_on).unwrap().is_none());
    assert!(!world.path("x").exists());
    let store =
        ShardStore::<sepo_data::ScoredPair>::open(world.path("x.parts"), Map::new(), OtherRun::Refuse);
    assert_eq!(store.unwrap().done(), std::slice::from_ref(&(0..60)));
}

#[test]
fn other_pairs_under_the_same_identity_are_told() {
    let world = World::new();
    world.score("changed", 45).unwrap();
    fs::remove_file(world.path("changed.parts/part-00001.parquet")).unwrap();
    let open = || {
        let identity = Map::from_iter([("name".to_owned(), "it".into())]);
        ShardStore::open(world.path("changed.parts"), identity, OtherRun::Refuse).unwrap()
    };
    let mut scorer = Scorer::new(&world.models[0], &world.models[1]).unwrap();
    let mut scores = ShardedScores::new(&mut scorer, CONFIG, open(), ScoresMeta::default());
    let mut all = pairs();
    all.truncate(3);
    let mut stream = world.tokenizer.encode_stream(all);
    let mut error = None;
    while let (None, Some(pair)) = (&error, stream.next()) {
        let Ok(pair) = pair else { continue };
        error = scores.push(pair, stream.report()).err();
    }
    let error = error.unwrap_or_else(|| scores.finish(stream.report()).unwrap_err());
    assert!(matches!(error, ScoreError::Shards(ShardError::OtherEnd { .. })), "{error}");
}
