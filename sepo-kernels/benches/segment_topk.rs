//! Claim: selection in linear time beats sorting every response

#[path = "../tests/naive/mod.rs"]
mod naive;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sepo_kernels::{Extreme, segment_topk};
use std::hint::black_box;

/// Sorts each segment by score, stably, and keeps the first ones
fn sorted(scores: &[f32], offsets: &[usize], counts: &[usize]) -> Vec<u32> {
    let mut selected = Vec::new();
    for (bounds, &count) in offsets.windows(2).zip(counts) {
        let mut indices: Vec<usize> = (bounds[0]..bounds[1]).collect();
        indices.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        indices.truncate(count);
        indices.sort_unstable();
        selected.extend(indices.into_iter().map(|index| u32::try_from(index).expect("small")));
    }
    selected
}

fn bench(criterion: &mut Criterion) {
    for (name, length) in [("responses_200", 200), ("responses_2000", 2000)] {
        let n_segments = 400_000 / length;
        let mut scores = naive::values(1, n_segments * length, 1.0);
        scores[17] = 80.0;
        let offsets: Vec<usize> = (0..=n_segments).map(|segment| segment * length).collect();
        let counts = vec![length * 3 / 10; n_segments];
        let expected = sorted(&scores, &offsets, &counts);
        assert_eq!(segment_topk(&scores, &offsets, &counts, Extreme::Highest), Ok(expected));

        let mut group = criterion.benchmark_group(format!("segment_topk/{name}"));
        group.throughput(Throughput::Elements(scores.len() as u64));
        group.bench_function(BenchmarkId::new("select", n_segments), |b| {
            b.iter(|| segment_topk(black_box(&scores), &offsets, &counts, Extreme::Highest));
        });
        group.bench_function(BenchmarkId::new("sort", n_segments), |b| {
            b.iter(|| sorted(black_box(&scores), &offsets, &counts));
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
