//! Loss, gradient and metrics of 64 pairs of 400-token responses: dfdx's tape beside plain loops.
//!
//! The claim: the tape costs a few milliseconds a step, next to seconds in the network, and buys gradients that nobody
//! derives by hand.

#[path = "../tests/suite/naive.rs"]
mod naive;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sepo_loss::{LossBatch, Normalizer, Objective, PairRows, evaluate};

const N_PAIRS: usize = 64;
const N_TOKENS: usize = 400;
const N_ROWS: usize = 2 * N_PAIRS * N_TOKENS;

/// A fixed stream of numbers in `0.0..1.0` (SplitMix64).
fn stream(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Log-probabilities as a language model's: mostly near 0, with outliers.
fn logps(seed: u64) -> Vec<f64> {
    let mut next = stream(seed);
    (0..N_ROWS).map(|_| 3.0 * next().ln()).collect()
}

fn pairs() -> Vec<PairRows> {
    let nominal = 0.3 * N_TOKENS as f64;
    let pair = |i: usize| {
        let start = 2 * i * N_TOKENS;
        let (middle, end) = (start + N_TOKENS, start + 2 * N_TOKENS);
        PairRows {
            chosen: start..middle,
            rejected: middle..end,
            chosen_nominal: nominal,
            rejected_nominal: nominal,
        }
    };
    (0..N_PAIRS).map(pair).collect()
}

fn assert_equal(objective: &Objective, batch: &LossBatch<'_>) {
    let evaluation = evaluate(objective, batch).expect("the batch is well formed");
    let (losses, dlogps) = naive::evaluate(objective, batch);
    let ours = evaluation.pairs.iter().map(|pair| pair.loss).chain(evaluation.dlogps);
    for (ours, theirs) in ours.zip(losses.into_iter().chain(dlogps)) {
        assert!((ours - theirs).abs() <= 1e-12 * theirs.abs().max(1e-3), "{ours} against {theirs}");
    }
}

fn bench(criterion: &mut Criterion) {
    let (policy, reference, pairs) = (logps(1), logps(2), pairs());
    let mut next = stream(3);
    let selected: Vec<f64> = (0..N_ROWS).map(|_| if next() < 0.3 { 1.0 } else { 0.0 }).collect();
    let everything = vec![1.0; N_ROWS];
    let dpo = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };
    let sepo = Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Count };

    for (name, objective, weights) in
        [("dpo/all_tokens", dpo, &everything), ("sepo/30_percent_of_tokens", sepo, &selected)]
    {
        let batch = LossBatch {
            logps: &policy,
            reference_logps: Some(&reference),
            weights,
            pairs: &pairs,
            ..LossBatch::default()
        };
        assert_equal(&objective, &batch);
        let mut group = criterion.benchmark_group(format!("evaluate/{name}"));
        group.throughput(Throughput::Elements(N_ROWS as u64));
        group.bench_function(BenchmarkId::new("dfdx_tape", N_ROWS), |bencher| {
            bencher.iter(|| evaluate(&objective, black_box(&batch)));
        });
        group.bench_function(BenchmarkId::new("loops_by_hand", N_ROWS), |bencher| {
            bencher.iter(|| naive::evaluate(&objective, black_box(&batch)));
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
