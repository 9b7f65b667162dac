//! Claim: stored log-probs of the reference cost next to nothing beside computing them
//!
//! Baseline: the reference over all pairs again, as every run of DPO would have to.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sepo_model::{Model, ModelConfig};
use sepo_oracle::{Origin, stored_reference_logps};
use sepo_train::{TrainExample, reference_logps};

const N_PAIRS: u64 = 64;
const N_PROMPT: u64 = 48;
const N_RESPONSE: u64 = 64;

fn small_llama() -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 2048, "hidden_size": 128, "intermediate_size": 344,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}"#,
    );
    Model::random(config.unwrap(), 1).unwrap()
}

fn pairs() -> Vec<TrainExample> {
    let ids = |n: u64, salt: u64| {
        (0..n).map(|t| u32::try_from((t * 7919 + salt * 104_729) % 2048).unwrap()).collect()
    };
    (0..N_PAIRS)
        .map(|row| {
            TrainExample::pair(
                row,
                ids(N_PROMPT, row),
                ids(N_RESPONSE, row + 1000),
                ids(N_RESPONSE, row + 2000),
            )
        })
        .collect()
}

fn reference(c: &mut Criterion) {
    let model = small_llama();
    let pairs = pairs();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reference_logps.parquet");
    let (mut computed, mut stored) = (pairs.clone(), pairs.clone());
    assert_eq!(stored_reference_logps(&model, &mut computed, &path, 4096).unwrap(), Origin::Computed);
    assert_eq!(stored_reference_logps(&model, &mut stored, &path, 4096).unwrap(), Origin::Stored);
    assert_eq!(computed, stored);

    let mut group = c.benchmark_group("reference_logps/llama-4x128");
    group.sample_size(10).throughput(Throughput::Elements(N_PAIRS * (N_PROMPT + 2 * N_RESPONSE)));
    for tokens_per_batch in [1, 4096] {
        let name = if tokens_per_batch == 1 { "computed/pair-by-pair" } else { "computed/batches-of-4096" };
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || pairs.clone(),
                |pairs| reference_logps(&model, pairs, tokens_per_batch).unwrap(),
                BatchSize::LargeInput,
            );
        });
    }
    group.bench_function("stored", |b| {
        b.iter_batched_ref(
            || pairs.clone(),
            |pairs| stored_reference_logps(&model, pairs, &path, 4096).unwrap(),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, reference);
criterion_main!(benches);
