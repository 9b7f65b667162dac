//! Claim: both divergences cost what their two matrix products cost, and a fraction of the memory of the plain way
//!
//! Baseline: all logits of both models, log-softmax of both, and the sums over them. Throughput counts the operations of
//! the products: an element is one, so `Gelem/s` are GFLOP/s.

#[path = "../tests/naive/mod.rs"]
mod naive;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use naive::values;
use rayon::prelude::*;
use sepo_kernels::{
    DivergenceScratch, HeadStates, LinearShape, Precision, RowGradients, Rows, Write, gather_divergences,
    gather_divergences_backward, linear,
};
use std::hint::black_box;

const N_ROWS: usize = 256;
const D_MODEL: usize = 512;
/// TinyLlama's
const VOCAB: usize = 32_000;

/// Log-probabilities of all tokens, `[N_ROWS, VOCAB]`
fn log_softmax(states: HeadStates<'_>) -> Vec<f32> {
    let mut logits = vec![0.0; N_ROWS * VOCAB];
    let shape = LinearShape { n_rows: N_ROWS, d_in: D_MODEL, d_out: VOCAB };
    linear(states.hidden, states.lm_head, &mut logits, shape, Write::Overwrite, Precision::F32);
    logits.par_chunks_mut(VOCAB).for_each(|row| {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let lse = max + row.iter().map(|x| (x - max).exp()).sum::<f32>().ln();
        row.iter_mut().for_each(|x| *x -= lse);
    });
    logits
}

/// Forward and reverse divergence of every row
fn plain(policy: HeadStates<'_>, other: HeadStates<'_>) -> (Vec<f32>, Vec<f32>) {
    let (p, q) = (log_softmax(policy), log_softmax(other));
    let kl = |p: &[f32], q: &[f32]| p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum::<f32>();
    let rows = p.par_chunks(VOCAB).zip(q.par_chunks(VOCAB));
    rows.map(|(p, q)| (kl(q, p), kl(p, q))).unzip()
}

fn bench(criterion: &mut Criterion) {
    let (hidden, lm_head) = (values(1, N_ROWS * D_MODEL, 1.0), values(2, VOCAB * D_MODEL, 0.1));
    let (other_hidden, other_head) = (values(3, N_ROWS * D_MODEL, 1.0), values(4, VOCAB * D_MODEL, 0.1));
    let policy = HeadStates { hidden: &hidden, lm_head: &lm_head, d_model: D_MODEL };
    let other = HeadStates { hidden: &other_hidden, lm_head: &other_head, d_model: D_MODEL };
    let n = u32::try_from(N_ROWS).expect("small");
    let rows = Rows::new((0..n).collect(), (0..n).map(|row| row * 17).collect(), N_ROWS, VOCAB);
    let rows = rows.expect("in range");
    let mut scratch = DivergenceScratch::default();
    let gathered = gather_divergences(policy, &[other], &rows, &mut scratch);
    let (forward, reverse) = plain(policy, other);
    for (actual, expected) in [(&gathered.forward_kl, &forward), (&gathered.reverse_kl, &reverse)] {
        let close = |(actual, expected): (&f64, &f32)| (actual - f64::from(*expected)).abs() < 1e-3;
        assert!(actual.iter().zip(expected).all(close));
    }

    let product = 2 * (N_ROWS * D_MODEL * VOCAB) as u64;
    let mut group = criterion.benchmark_group(format!("gather_divergences/{N_ROWS}x{VOCAB}"));
    group.sample_size(10).throughput(Throughput::Elements(2 * product));
    group.bench_function("forward_plain", |b| b.iter(|| plain(black_box(policy), other)));
    group.bench_function("forward", |b| {
        b.iter(|| gather_divergences(black_box(policy), &[other], &rows, &mut scratch));
    });
    let (mut dhidden, mut dlm_head) = (vec![0.0; hidden.len()], vec![0.0; lm_head.len()]);
    let ones = vec![1.0; N_ROWS];
    group.throughput(Throughput::Elements(4 * product));
    group.bench_function("backward", |b| {
        b.iter(|| {
            let d = RowGradients { logps: &ones, forward_kl: &ones, reverse_kl: &ones };
            gather_divergences_backward(
                black_box(policy),
                &[other],
                &rows,
                &gathered,
                d,
                &mut dhidden,
                &mut dlm_head,
                &mut scratch,
            );
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
