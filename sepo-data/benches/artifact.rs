//! Writing and reading scores and selections, in tokens a second, against the ids and numbers as raw bytes.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]
#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sepo_data::{
    AtomicFile, ScoredPair, ScoredResponse, ScoresMeta, ScoresReader, ScoresWriter, SelectedPair,
    SelectionMeta, SelectionReader, SelectionWriter, Span,
};

const N_PAIRS: u64 = 500;
const RESPONSE: usize = 320;

fn response(rng: &mut ChaCha8Rng) -> ScoredResponse {
    let mut logps = || (0..RESPONSE).map(|_| -(rng.next_u32() as f32) / 1e9).collect::<Vec<_>>();
    let [oracle_logps, reference_logps] = [logps(), logps()];
    ScoredResponse {
        ids: (0..RESPONSE).map(|_| rng.next_u32() % 32_000).collect(),
        scores: oracle_logps.iter().zip(&reference_logps).map(|(o, r)| o - r).collect(),
        oracle_logps,
        reference_logps,
        spans: Some((0..RESPONSE as u32).map(|i| Span { start: i * 4, end: i * 4 + 4 }).collect()),
        truncated: false,
    }
}

fn pairs() -> Vec<ScoredPair> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    (0..N_PAIRS)
        .map(|row| ScoredPair {
            row,
            prompt_ids: (0..180).map(|_| rng.next_u32() % 32_000).collect(),
            chosen: response(&mut rng),
            rejected: response(&mut rng),
        })
        .collect()
}

fn selected(pair: &ScoredPair) -> SelectedPair {
    let weights = |r: &ScoredResponse| r.scores.iter().map(|&s| if s > 1.0 { 1.0 } else { 0.0 }).collect();
    SelectedPair {
        row: pair.row,
        prompt_ids: pair.prompt_ids.clone(),
        chosen_ids: pair.chosen.ids.clone(),
        rejected_ids: pair.rejected.ids.clone(),
        chosen_weights: weights(&pair.chosen),
        rejected_weights: weights(&pair.rejected),
    }
}

fn scores(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("scores.parquet");
    let pairs = pairs();
    let write = || {
        let mut writer = ScoresWriter::create(&path, ScoresMeta::default()).unwrap();
        pairs.iter().for_each(|pair| writer.write(pair).unwrap());
        writer.finish().unwrap()
    };
    write();
    assert!(ScoresReader::open(&path).unwrap().map(Result::unwrap).eq(pairs.iter().cloned()));

    let mut group = c.benchmark_group("scores/500x180+320");
    group.sample_size(20).throughput(Throughput::Elements(N_PAIRS * 2 * RESPONSE as u64));
    group.bench_function("write", |b| b.iter(write));
    group.bench_function("write_raw_bytes", |b| {
        b.iter(|| {
            let mut file = AtomicFile::create(dir.path().join("raw")).unwrap();
            for r in pairs.iter().flat_map(|pair| [&pair.chosen, &pair.rejected]) {
                for column in [&r.oracle_logps, &r.reference_logps, &r.scores] {
                    let bytes: Vec<u8> = column.iter().flat_map(|x| x.to_le_bytes()).collect();
                    file.write_all(&bytes).unwrap();
                }
            }
            file.commit().unwrap();
        });
    });
    group.bench_function("read", |b| {
        b.iter(|| ScoresReader::open(&path).unwrap().map(Result::unwrap).count())
    });
    group.bench_function("read_raw_bytes", |b| {
        b.iter(|| black_box(fs::read(dir.path().join("raw")).unwrap()))
    });
    group.finish();
}

fn selections(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("selection.parquet");
    let pairs: Vec<_> = pairs().iter().map(selected).collect();
    let write = || {
        let mut writer = SelectionWriter::create(&path, SelectionMeta::default()).unwrap();
        pairs.iter().for_each(|pair| writer.write(pair).unwrap());
        writer.finish().unwrap()
    };
    write();
    assert!(SelectionReader::open(&path).unwrap().map(Result::unwrap).eq(pairs.iter().cloned()));
    let mut group = c.benchmark_group("selection/500x180+320");
    group.sample_size(20).throughput(Throughput::Elements(N_PAIRS * 2 * RESPONSE as u64));
    group.bench_function("write", |b| b.iter(write));
    group.bench_function("read", |b| {
        b.iter(|| SelectionReader::open(&path).unwrap().map(Result::unwrap).count())
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = scores, selections
}
criterion_main!(benches);
