//! One optimizer step of a tiny Llama, and what of it is neither network nor optimizer.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sepo_data::{PackItem, PackedBatch, RowPolicy};
use sepo_loss::{LossBatch, Normalizer, Objective, PairRows, evaluate};
use sepo_model::{Model, ModelConfig};
use sepo_train::{RunOptions, Silent, TrainConfig, TrainData, TrainExample, train};

const SEPO: Objective = Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Count };
const N_PAIRS: u64 = 16;
const N_PROMPT: u64 = 32;
const N_RESPONSE: u64 = 64;

fn tiny_llama() -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 512, "hidden_size": 64, "intermediate_size": 172,
            "num_hidden_layers": 4, "num_attention_heads": 4}"#,
    );
    Model::random(config.expect("a valid configuration"), 1).expect("a model")
}

/// 30 % of the tokens of each side have weight 1, spread by a multiplicative sequence.
fn pairs() -> Vec<TrainExample> {
    let ids =
        |n: u64, salt: u64| (0..n).map(|t| u32::try_from((t * 37 + salt * 101) % 512).unwrap_or(0)).collect();
    let weights = || Some((0..N_RESPONSE).map(|t| if t * 7 % 10 < 3 { 1.0 } else { 0.0 }).collect());
    (0..N_PAIRS)
        .map(|row| TrainExample {
            chosen_weights: weights(),
            rejected_weights: weights(),
            ..TrainExample::pair(
                row,
                ids(N_PROMPT, row),
                ids(N_RESPONSE, row + 50),
                ids(N_RESPONSE, row + 90),
            )
        })
        .collect()
}

fn without_weights(pairs: &[TrainExample]) -> Vec<TrainExample> {
    let every =
        |pair: &TrainExample| TrainExample { chosen_weights: None, rejected_weights: None, ..pair.clone() };
    pairs.iter().map(every).collect()
}

fn one_step(c: &mut Criterion) {
    let selected = pairs();
    let all = without_weights(&selected);
    let config = TrainConfig { batch_size: 16, max_steps: Some(1), ..TrainConfig::default() };
    let mut group = c.benchmark_group("step/llama-4x64");
    group.throughput(Throughput::Elements(N_PAIRS * (N_PROMPT + 2 * N_RESPONSE)));
    group.sample_size(20);
    for (name, examples) in [("selected-rows", &selected), ("all-rows", &all)] {
        let mut model = tiny_llama();
        group.bench_function(name, |b| {
            b.iter(|| {
                let interrupt = AtomicBool::new(false);
                let options = RunOptions { dir: None, observer: &mut Silent, interrupt: &interrupt };
                let outcome = train(&mut model, TrainData::new(examples), &SEPO, &config, options);
                assert_eq!(outcome.expect("a step").progress.step, 1);
            });
        });
    }
    group.finish();
}

fn overhead(c: &mut Criterion) {
    let examples = pairs();
    let items: Vec<PackItem<'_>> = examples
        .iter()
        .map(|pair| PackItem {
            row: pair.row,
            prompt_ids: &pair.prompt_ids,
            chosen_ids: &pair.chosen_ids,
            rejected_ids: &pair.rejected_ids,
            chosen_weights: pair.chosen_weights.as_deref(),
            rejected_weights: pair.rejected_weights.as_deref(),
        })
        .collect();
    let packed = PackedBatch::pack(&items, RowPolicy::Weighted).expect("a batch");
    let rows: Vec<PairRows> = packed
        .pairs
        .iter()
        .map(|pair| PairRows {
            chosen: pair.chosen.clone(),
            rejected: pair.rejected.clone(),
            chosen_nominal: 0.3 * 64.0,
            rejected_nominal: 0.3 * 64.0,
        })
        .collect();
    let logps: Vec<f64> = (0..packed.n_rows()).map(|row| -1.0 - (row % 7) as f64).collect();
    let weights: Vec<f64> = packed.row_weights.iter().map(|&weight| f64::from(weight)).collect();
    let batch = LossBatch { logps: &logps, weights: &weights, pairs: &rows, ..LossBatch::default() };
    assert_eq!(evaluate(&SEPO, &batch).expect("a loss").n_units, 16.0);
    let mut group = c.benchmark_group("overhead/16-pairs");
    group.throughput(Throughput::Elements(packed.n_rows() as u64));
    group.bench_function("pack", |b| b.iter(|| PackedBatch::pack(black_box(&items), RowPolicy::Weighted)));
    group.bench_function("loss", |b| b.iter(|| evaluate(&SEPO, black_box(&batch))));
    group.finish();
}

criterion_group!(benches, one_step, overhead);
criterion_main!(benches);
