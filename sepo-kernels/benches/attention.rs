//! Claim: tiles and shared prompts make attention several times faster than a matrix of weights per head
//!
//! Baseline: the plain `f32` formula, query by query, parallel over tokens.

#[path = "../tests/naive/mod.rs"]
mod naive;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use naive::{assert_close, values, wide};
use rayon::prelude::*;
use sepo_kernels::{
    AttentionForward, AttentionGrads, AttentionLayout, AttentionShape, Segments, attention,
    attention_backward,
};
use std::hint::black_box;

/// The plain formula for segments of one level of parents
fn plain(q: &[f32], k: &[f32], v: &[f32], segments: &Segments, shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { n_heads, n_kv_heads, head_dim, .. } = shape;
    let mut out = vec![0.0; q.len()];
    let owner: Vec<usize> =
        (0..segments.n_segments()).flat_map(|i| std::iter::repeat_n(i, segments.range(i).len())).collect();
    out.par_chunks_mut(n_heads * head_dim).enumerate().for_each(|(t, out)| {
        let own = segments.range(owner[t]).start..t + 1;
        let prompt = segments.parent(owner[t]).map_or(0..0, |parent| segments.range(parent));
        let keys: Vec<usize> = prompt.chain(own).collect();
        for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
            let at = |key: usize| (key * n_kv_heads + head * n_kv_heads / n_heads) * head_dim;
            let q = &q[(t * n_heads + head) * head_dim..][..head_dim];
            let dot = |key: usize| q.iter().zip(&k[at(key)..]).map(|(a, b)| a * b).sum::<f32>();
            let scores: Vec<f32> = keys.iter().map(|&key| dot(key) * (head_dim as f32).powf(-0.5)).collect();
            let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights: Vec<f32> = scores.iter().map(|score| (score - max).exp()).collect();
            let sum: f32 = weights.iter().sum();
            for (&key, weight) in keys.iter().zip(&weights) {
                for (out, v) in out.iter_mut().zip(&v[at(key)..]) {
                    *out += weight / sum * v;
                }
            }
        }
    });
    out
}

struct Case {
    name: &'static str,
    segments: Segments,
    shape: AttentionShape,
}

fn cases() -> Vec<Case> {
    let shape =
        |n_heads, n_kv_heads, head_dim| AttentionShape { n_heads, n_kv_heads, head_dim, window: None };
    let (mut offsets, mut parents) = (vec![0], vec![]);
    for pair in 0..8 {
        let start = pair * 256;
        offsets.extend([start + 96, start + 176, start + 256]);
        parents.extend([None, Some(3 * pair), Some(3 * pair)]);
    }
    let pairs = Segments::new(offsets, parents).expect("a layout");
    vec![
        Case { name: "pythia_70m_8x64/pairs", segments: pairs.clone(), shape: shape(8, 8, 64) },
        Case { name: "small_llama_8x4x32/pairs", segments: pairs, shape: shape(8, 4, 32) },
        Case { name: "pythia_70m_8x64/long", segments: Segments::single(2048), shape: shape(8, 8, 64) },
    ]
}

fn bench(criterion: &mut Criterion) {
    for Case { name, segments, shape } in cases() {
        let n_tokens = segments.n_tokens();
        let (n_q, n_kv) =
            (n_tokens * shape.n_heads * shape.head_dim, n_tokens * shape.n_kv_heads * shape.head_dim);
        let (q, k, v) = (values(1, n_q, 3.0), values(2, n_kv, 3.0), values(3, n_kv, 1.0));
        let dout = values(4, n_q, 1.0);
        let (mut out, mut lse) = (vec![0.0; n_q], vec![0.0; n_tokens * shape.n_heads]);
        attention(&q, &k, &v, AttentionLayout::all(&segments), shape, &mut out, &mut lse);
        assert_close(&out, &wide(&plain(&q, &k, &v, &segments, shape)), 1e-5);

        let mut group = criterion.benchmark_group(format!("attention/{name}"));
        group.sample_size(10).throughput(Throughput::Elements(n_tokens as u64));
        group.bench_function(BenchmarkId::new("forward/tiles", n_tokens), |b| {
            let (mut out, mut lse) = (out.clone(), lse.clone());
            b.iter(|| {
                attention(black_box(&q), &k, &v, AttentionLayout::all(&segments), shape, &mut out, &mut lse)
            });
        });
        group.bench_function(BenchmarkId::new("forward/plain", n_tokens), |b| {
            b.iter(|| plain(black_box(&q), &k, &v, &segments, shape));
        });
        group.bench_function(BenchmarkId::new("backward/tiles", n_tokens), |b| {
            let (mut dq, mut dk, mut dv) = (vec![0.0; n_q], vec![0.0; n_kv], vec![0.0; n_kv]);
            b.iter(|| {
                let forward = AttentionForward { q: black_box(&q), k: &k, v: &v, out: &out, lse: &lse };
                let grads = AttentionGrads { dq: &mut dq, dk: &mut dk, dv: &mut dv };
                attention_backward(forward, &dout, AttentionLayout::all(&segments), shape, grads);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
