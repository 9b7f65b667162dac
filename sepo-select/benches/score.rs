//! Claim: scoring packed pairs, each prompt once a model, is faster than two passes a response
//!
//! Baseline: each response as a sequence of its own through both models.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sepo_data::{TokenizedPair, TokenizedResponse};
use sepo_kernels::Segments;
use sepo_model::{Activations, Model, ModelConfig, Network, SequenceBatch};
use sepo_select::Scorer;

const N_PROMPT: u64 = 64;
const N_RESPONSE: u64 = 64;

fn small_llama(seed: u64) -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 2048, "hidden_size": 128, "intermediate_size": 344,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}"#,
    );
    Model::random(config.unwrap(), seed).unwrap()
}

fn pairs(n: u64) -> Vec<TokenizedPair> {
    let ids = |n: u64, salt: u64| -> Vec<u32> {
        (0..n).map(|t| u32::try_from((t * 7919 + salt * 104_729) % 2048).unwrap()).collect()
    };
    let response = |salt| TokenizedResponse { ids: ids(N_RESPONSE, salt), spans: None, truncated: false };
    (0..n)
        .map(|row| TokenizedPair {
            row,
            prompt_ids: ids(N_PROMPT, row),
            prompt_truncated: false,
            chosen: response(row + 1000),
            rejected: response(row + 2000),
        })
        .collect()
}

/// What a score is equal to.
fn separate_passes(networks: &mut [(&Model, Network); 2], pairs: &[TokenizedPair]) -> Vec<f64> {
    let mut scores = Vec::new();
    for pair in pairs {
        for response in [&pair.chosen.ids, &pair.rejected.ids] {
            let tokens = [&pair.prompt_ids[..], response].concat();
            let first = pair.prompt_ids.len() - 1;
            let positions: Vec<u32> =
                (first..tokens.len() - 1).map(|position| u32::try_from(position).unwrap()).collect();
            let batch = SequenceBatch {
                tokens: &tokens,
                segments: &Segments::single(tokens.len()),
                row_positions: &positions,
                row_targets: response,
            };
            let [oracle, reference] =
                networks.each_mut().map(|(model, network)| network.logps(&model.parameters, &batch).unwrap());
            scores.extend(oracle.iter().zip(reference).map(|(oracle, reference)| oracle - reference));
        }
    }
    scores
}

fn scores(c: &mut Criterion) {
    let (oracle, reference) = (small_llama(1), small_llama(2));
    let mut scorer = Scorer::new(&oracle, &reference).unwrap();
    let mut networks =
        [&oracle, &reference].map(|model| (model, Network::new(&model.config, Activations::Recomputed)));
    let mut group = c.benchmark_group("score/llama-4x128");
    group.sample_size(10);
    for n in [1, 32] {
        let pairs = pairs(n);
        let plain = separate_passes(&mut networks, &pairs);
        let scored = scorer.score(&pairs).unwrap();
        let ours = scored.iter().flat_map(|pair| [&pair.chosen.scores, &pair.rejected.scores]).flatten();
        assert!(ours.zip(&plain).all(|(ours, plain)| (f64::from(*ours) - plain).abs() < 1e-4));

        group.throughput(Throughput::Elements(n * (N_PROMPT + 2 * N_RESPONSE)));
        group.bench_function(BenchmarkId::new("packed", n), |b| {
            b.iter(|| scorer.score(black_box(&pairs)).unwrap());
        });
        group.bench_function(BenchmarkId::new("separate-passes", n), |b| {
            b.iter(|| separate_passes(&mut networks, black_box(&pairs)));
        });
    }
    group.finish();
}

criterion_group!(benches, scores);
criterion_main!(benches);
