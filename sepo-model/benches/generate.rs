//! Claim: a key-value cache makes greedy continuations many times faster than running the sequence again for every token
//!
//! Baseline: one full pass over each sequence for each new token, the head at its last position only.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sepo_kernels::Segments;
use sepo_model::{Activations, GenerateConfig, Model, ModelConfig, Network, SequenceBatch, generate};

const VOCAB: u32 = 2048;
const N_PROMPT: u32 = 48;
const N_NEW: usize = 32;

fn small_llama() -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 2048, "hidden_size": 128, "intermediate_size": 344,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
            "initializer_range": 0.2}"#,
    );
    Model::random(config.unwrap(), 1).unwrap()
}

fn prompts(n: u32) -> Vec<Vec<u32>> {
    (0..n).map(|i| (0..N_PROMPT).map(|t| (t * 7919 + i * 104_729) % VOCAB).collect()).collect()
}

/// What greedy generation is equal to.
fn without_cache(model: &Model, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut network = Network::new(&model.config, Activations::Recomputed);
    let targets: Vec<u32> = (0..VOCAB).collect();
    let mut next = |ids: &[u32]| {
        let last = u32::try_from(ids.len()).unwrap() - 1;
        let batch = SequenceBatch {
            tokens: ids,
            segments: &Segments::single(ids.len()),
            row_positions: &vec![last; targets.len()],
            row_targets: &targets,
        };
        let logps = network.logps(&model.parameters, &batch).unwrap();
        *targets.iter().max_by(|a, b| logps[**a as usize].total_cmp(&logps[**b as usize])).unwrap()
    };
    let continuation = |prompt: &Vec<u32>| {
        let mut ids = prompt.clone();
        for _ in 0..N_NEW {
            ids.push(next(&ids));
        }
        ids.split_off(prompt.len())
    };
    prompts.iter().map(continuation).collect()
}

fn continuations(c: &mut Criterion) {
    let model = small_llama();
    let greedy = GenerateConfig { max_new_tokens: N_NEW, temperature: 0.0, ..GenerateConfig::default() };
    let sampled = GenerateConfig { temperature: 1.0, top_p: 0.9, ..greedy.clone() };
    let mut group = c.benchmark_group("generate/llama-4x128");
    group.sample_size(10);
    for n in [1, 16] {
        let prompts = prompts(n);
        let n_new = u64::from(n) * N_NEW as u64;
        let cached = generate(&model, &prompts, &greedy).unwrap();
        assert_eq!(cached.iter().map(|ids| ids.len() as u64).sum::<u64>(), n_new);
        group.throughput(Throughput::Elements(n_new));
        for (name, config) in [("greedy", &greedy), ("top-p", &sampled)] {
            group.bench_function(BenchmarkId::new(format!("{name}/cache"), n), |b| {
                b.iter(|| generate(&model, black_box(&prompts), config).unwrap());
            });
        }
        if n == 1 {
            assert_eq!(cached, without_cache(&model, &prompts));
            group.bench_function(BenchmarkId::new("greedy/full-passes", n), |b| {
                b.iter(|| without_cache(&model, black_box(&prompts)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, continuations);
criterion_main!(benches);
