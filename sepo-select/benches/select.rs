//! Rules over one pair of long responses, against a full sort; and the area under the curve.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sepo_select::{PairScores, Rule, SelectConfig, auroc, select_pair};

/// Scores around 0 with a heavy tail, as differences of log-probabilities are.
fn scores(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = || rng.next_u32() as f32 / u32::MAX as f32 - 0.5;
    (0..n).map(|_| uniform() / (uniform().abs() + 0.02)).collect()
}

/// What the rule is equal to.
fn sorted(scores: &[f32], count: usize) -> Vec<f32> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut weights = vec![0.0; scores.len()];
    order[..count].iter().for_each(|&i| weights[i] = 1.0);
    weights
}

fn rules(c: &mut Criterion) {
    let mut group = c.benchmark_group("select_pair");
    for n in [256, 4096] {
        let [chosen, rejected] = [1, 2].map(|seed| scores(n, seed));
        let pair = PairScores { chosen_scores: &chosen, rejected_scores: &rejected, ..PairScores::default() };
        let count = SelectConfig::default().keep_chosen.count(n);
        let selected = select_pair(&SelectConfig::default(), pair).unwrap();
        assert_eq!(selected.chosen_weights, sorted(&chosen, count));
        group.throughput(Throughput::Elements(2 * n as u64));
        for rule in [Rule::Sepo, Rule::Salience, Rule::Random { seed: 1 }, Rule::Threshold { at: 0.5 }] {
            let config = SelectConfig { rule, ..SelectConfig::default() };
            group.bench_function(BenchmarkId::new(rule.name(), n), |b| {
                b.iter(|| select_pair(&config, black_box(pair)));
            });
        }
        group.bench_function(BenchmarkId::new("full_sort", n), |b| {
            b.iter(|| (sorted(black_box(&chosen), count), sorted(black_box(&rejected), count)));
        });
    }
    group.finish();
}

fn curves(c: &mut Criterion) {
    let mut group = c.benchmark_group("auroc");
    let [positives, negatives] = [scores(10_000, 1), scores(90_000, 2)];
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("exact/100000", |b| {
        b.iter_batched(
            || (positives.clone(), negatives.clone()),
            |(p, n)| auroc(&p, &n).unwrap(),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, rules, curves);
criterion_main!(benches);
