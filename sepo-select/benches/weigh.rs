//! Transforms of one long response and its projection to other tokens, beside slow code that says the same.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sepo_select::Span;
use sepo_select::project::{Projection, project};
use sepo_select::weigh::{
    ChangePoints, ExpClamp, Level, RankLinear, SideRule, States, Transport, change_points, rank_linear,
    threshold, transport_weights,
};

struct Draws(ChaCha8Rng);

impl Draws {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// Scores around 0 with a heavy tail, as differences of log-probabilities are.
    fn scores(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| (self.unit() - 0.5) / ((self.unit() - 0.5).abs() + 0.02)).collect()
    }

    /// Tokens of a text, of one to so many bytes, and a closing one.
    fn tokens(&mut self, n_bytes: u32, longest: u32) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut start = 0;
        while start < n_bytes {
            let end = (start + 1 + self.0.next_u32() % longest).min(n_bytes);
            spans.push(Span { start, end });
            start = end;
        }
        spans.push(Span { start: n_bytes, end: n_bytes });
        spans
    }
}

/// Ranks counted one by one.
fn counted_ranks(scores: &[f64], ends: RankLinear) -> Vec<f64> {
    let n = (scores.len() - 1) as f64;
    let below = |score: f64| scores.iter().filter(|s| **s < score).count() as f64;
    scores.iter().map(|s| ends.low + (ends.high - ends.low) * (below(*s) / n)).collect()
}

/// Every pair of tokens looked at.
fn project_all_pairs(source: &[Span], values: &[f64], target: &[Span]) -> Vec<f64> {
    let shared = |a: &Span, b: &Span| f64::from(a.end.min(b.end).saturating_sub(a.start.max(b.start)));
    let closes = |a: &Span, b: &Span| f64::from(u8::from(a == b && a.start == a.end));
    let weight = |a: &Span, b: &Span| shared(a, b) + closes(a, b);
    let mut sums = vec![0.0; target.len()];
    for (s, value) in source.iter().zip(values) {
        let all: f64 = target.iter().map(|t| weight(s, t)).sum();
        target.iter().zip(&mut sums).for_each(|(t, sum)| *sum += value * (weight(s, t) / all));
    }
    sums
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9));
}

fn transforms(c: &mut Criterion) {
    let mut group = c.benchmark_group("weigh");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500)).sample_size(20);
    for n in [256, 4096] {
        let scores = Draws::new(1).scores(n);
        let (ends, tis) = (RankLinear::default(), ExpClamp::default());
        assert_close(&rank_linear(&scores, ends), &counted_ranks(&scores, ends));
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("exp_clamp", n), |b| {
            b.iter(|| black_box(&scores).iter().map(|s| tis.weight(*s, SideRule::Same)).collect::<Vec<_>>());
        });
        group.bench_function(BenchmarkId::new("quantile", n), |b| {
            b.iter(|| threshold(black_box(&scores), Level::Quantile { q: 0.6 }));
        });
        group.bench_function(BenchmarkId::new("rank_linear", n), |b| {
            b.iter(|| rank_linear(black_box(&scores), ends));
        });
        group.bench_function(BenchmarkId::new("rank_linear/counted", n), |b| {
            b.iter(|| counted_ranks(black_box(&scores), ends));
        });
        group.bench_function(BenchmarkId::new("change_points", n), |b| {
            b.iter(|| change_points(black_box(&scores), ChangePoints::default()));
        });
    }
    let width = 64;
    let [chosen, rejected] = [2, 3].map(|seed| Draws::new(seed).scores(128 * width));
    let [chosen, rejected] = [&chosen, &rejected].map(|states| States::new(states, width).unwrap());
    group.throughput(Throughput::Elements(256));
    group.bench_function("transport/128x128", |b| {
        b.iter(|| transport_weights(black_box(chosen), rejected, &Transport::default()).unwrap());
    });
    group.finish();
}

fn projections(c: &mut Criterion) {
    let mut group = c.benchmark_group("project");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500)).sample_size(20);
    for n_bytes in [1_000, 16_000] {
        let mut draws = Draws::new(4);
        let (source, target) = (draws.tokens(n_bytes, 9), draws.tokens(n_bytes, 5));
        let values = draws.scores(source.len());
        let found = project(&source, &values, &target, Projection::Proportional).unwrap();
        assert_close(&found.values, &project_all_pairs(&source, &values, &target));
        group.throughput(Throughput::Elements(target.len() as u64));
        for how in [Projection::Sum, Projection::Proportional] {
            group.bench_function(BenchmarkId::new(how.name(), n_bytes), |b| {
                b.iter(|| project(black_box(&source), &values, &target, how).unwrap());
            });
        }
        group.bench_function(BenchmarkId::new("all_pairs", n_bytes), |b| {
            b.iter(|| project_all_pairs(black_box(&source), &values, &target));
        });
    }
    group.finish();
}

criterion_group!(benches, transforms, projections);
criterion_main!(benches);
