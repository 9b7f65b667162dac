//! Packing pairs of usual lengths, with all rows and with the selected ones, against padded copies of the sequences.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]
#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sepo_data::{PackItem, PackedBatch, RowPolicy, plan_batches};

const N_PAIRS: usize = 64;
const PROMPT: usize = 180;
const RESPONSE: usize = 320;
/// Tokens that both responses begin with.
const SHARED: usize = 4;

/// What packing replaces: prompt and response of both sides, padded to one length.
fn padded(items: &[PackItem<'_>]) -> Vec<u32> {
    let sides = items.iter().flat_map(|i| [(i.prompt_ids, i.chosen_ids), (i.prompt_ids, i.rejected_ids)]);
    let longest = sides.clone().map(|(p, r)| p.len() + r.len()).max().unwrap_or(0);
    let mut tokens = vec![0; 2 * items.len() * longest];
    for (row, (prompt, response)) in tokens.chunks_mut(longest.max(1)).zip(sides) {
        row[..prompt.len()].copy_from_slice(prompt);
        row[prompt.len()..prompt.len() + response.len()].copy_from_slice(response);
    }
    tokens
}

fn pack(c: &mut Criterion) {
    let ids: Vec<u32> = (0..(PROMPT + RESPONSE) as u32).map(|i| i * 7919 % 32_000).collect();
    let mut other = ids[PROMPT..].to_vec();
    other[SHARED..].reverse();
    // Three of ten, spread over the response.
    let weights: Vec<f32> = (0..RESPONSE).map(|i| if i * 7 % 10 < 3 { 1.0 } else { 0.0 }).collect();
    let items: Vec<_> = (0..N_PAIRS)
        .map(|i| {
            let [chosen, rejected] = [RESPONSE - i, RESPONSE / 2 + i];
            PackItem {
                row: i as u64,
                prompt_ids: &ids[..PROMPT - i],
                chosen_ids: &ids[PROMPT..PROMPT + chosen],
                rejected_ids: &other[..rejected],
                chosen_weights: Some(&weights[..chosen]),
                rejected_weights: Some(&weights[..rejected]),
            }
        })
        .collect();
    let batch = PackedBatch::pack(&items, RowPolicy::AllResponse).unwrap();
    let n_response: usize = items.iter().map(|i| i.chosen_ids.len() + i.rejected_ids.len()).sum();
    assert_eq!(batch.n_rows(), n_response);
    let n_prompt: usize = items.iter().map(|i| i.prompt_ids.len()).sum();
    // Neither the last token of a response nor the second copy of the shared ones is an input.
    assert_eq!(batch.n_tokens(), n_prompt + n_response - N_PAIRS * (2 + SHARED));

    let mut group = c.benchmark_group("pack/64x180+320");
    group.throughput(Throughput::Elements(batch.n_tokens() as u64));
    group.bench_function("all_response", |b| {
        b.iter(|| PackedBatch::pack(black_box(&items), RowPolicy::AllResponse));
    });
    group.bench_function("weighted", |b| {
        b.iter(|| PackedBatch::pack(black_box(&items), RowPolicy::Weighted));
    });
    group.bench_function("padded", |b| b.iter(|| padded(black_box(&items))));
    group.finish();

    let lengths: Vec<usize> = (0..60_000).map(|i| 100 + i * 7919 % 900).collect();
    let mut group = c.benchmark_group("plan_batches/60000");
    group.throughput(Throughput::Elements(lengths.len() as u64));
    group.bench_function("greedy", |b| b.iter(|| plan_batches(black_box(&lengths), 8192, 64)));
    group.finish();
}

criterion_group!(benches, pack);
criterion_main!(benches);
