//! One optimizer step of a tiny Llama, and what of it is neither network nor optimizer.
//!
//! Baseline: a plain loop over the pairs, each response behind a copy of its prompt, log-probs of every token, and AdamW after
//! the gradients of all.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sepo_data::{PackItem, PackedBatch, RowPolicy};
use sepo_kernels::Segments;
use sepo_loss::{LossBatch, Normalizer, Objective, PairRows, evaluate};
use sepo_model::{Activations, Cpu, Model, ModelConfig, Network, SequenceBatch};
use sepo_train::{RunOptions, Scheduler, Silent, TrainConfig, TrainData, TrainExample, train};

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

/// One step: of a large ε, so that it is smooth in the gradient and two ways to the same gradient compare.
fn config() -> TrainConfig {
    TrainConfig {
        learning_rate: 1e-3,
        batch_size: 16,
        max_steps: Some(1),
        scheduler: Scheduler::Constant,
        warmup_ratio: 0.0,
        adam_eps: 1e-2,
        max_grad_norm: None,
        ..TrainConfig::default()
    }
}

fn trained(model: &mut Model, examples: &[TrainExample]) {
    let interrupt = AtomicBool::new(false);
    let options = RunOptions { on: &Cpu, dir: None, observer: &mut Silent, interrupt: &interrupt };
    let outcome = train(model, TrainData::new(examples), &SEPO, &config(), options);
    assert_eq!(outcome.expect("a step").progress.step, 1);
}

/// What a step is equal to.
#[expect(clippy::cast_possible_truncation, reason = "the optimizer computes in f32")]
fn pair_by_pair(model: &mut Model, examples: &[TrainExample]) {
    let mut network = Network::new(&model.config, Activations::Kept);
    let mut gradient = vec![0.0_f32; model.parameters.len()];
    for pair in examples {
        let sequence = N_PROMPT + N_RESPONSE;
        let tokens = [&pair.prompt_ids[..], &pair.chosen_ids, &pair.prompt_ids, &pair.rejected_ids].concat();
        let ends = [0, sequence, 2 * sequence].map(|end| usize::try_from(end).expect("small"));
        let positions: Vec<u32> = [0, sequence]
            .into_iter()
            .flat_map(|start| start + N_PROMPT - 1..start + sequence - 1)
            .map(|position| u32::try_from(position).expect("small"))
            .collect();
        let targets = [&pair.chosen_ids[..], &pair.rejected_ids].concat();
        let batch = SequenceBatch {
            tokens: &tokens,
            segments: &Segments::new(ends.to_vec(), vec![None; 2]).expect("two sequences"),
            row_positions: &positions,
            row_targets: &targets,
        };
        let logps = network.forward(&model.parameters, &batch).expect("a forward pass");
        let weights = |side: &Option<Vec<f32>>| side.clone().expect("a selection");
        let weights: Vec<f64> = [weights(&pair.chosen_weights), weights(&pair.rejected_weights)]
            .concat()
            .into_iter()
            .map(f64::from)
            .collect();
        let half = pair.chosen_ids.len();
        let rows = PairRows {
            chosen: 0..half,
            rejected: half..2 * half,
            chosen_nominal: 1.0,
            rejected_nominal: 1.0,
        };
        let batch = LossBatch { logps: &logps, weights: &weights, pairs: &[rows], ..LossBatch::default() };
        let slopes = evaluate(&SEPO, &batch).expect("a loss").dlogps;
        network.backward(&model.parameters, &slopes, &mut gradient).expect("a backward pass");
    }
    // The first step of AdamW: both moments are those of this gradient.
    let config = config();
    let (rate, eps) = (config.learning_rate as f32, config.adam_eps as f32);
    for (weight, sum) in model.parameters.as_mut_slice().iter_mut().zip(gradient) {
        let mean = sum / examples.len() as f32;
        *weight -= rate * mean / (mean.abs() + eps);
    }
}

/// Largest difference of a weight after both, as a share of the largest change.
fn difference(examples: &[TrainExample]) -> f32 {
    let before = tiny_llama();
    let [mut ours, mut plain] = [tiny_llama(), tiny_llama()];
    trained(&mut ours, examples);
    pair_by_pair(&mut plain, examples);
    let largest = |a: &Model, b: &Model| {
        a.parameters
            .as_slice()
            .iter()
            .zip(b.parameters.as_slice())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    largest(&ours, &plain) / largest(&ours, &before)
}

fn one_step(c: &mut Criterion) {
    let selected = pairs();
    let all = without_weights(&selected);
    assert!(difference(&selected) < 1e-3);
    let mut group = c.benchmark_group("step/llama-4x64");
    group.throughput(Throughput::Elements(N_PAIRS * (N_PROMPT + 2 * N_RESPONSE)));
    group.sample_size(20);
    for (name, examples) in [("selected-rows", &selected), ("all-rows", &all)] {
        let mut model = tiny_llama();
        group.bench_function(name, |b| {
            b.iter(|| trained(&mut model, examples));
        });
    }
    let mut model = tiny_llama();
    group.bench_function("pair-by-pair", |b| b.iter(|| pair_by_pair(&mut model, &selected)));
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

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = one_step, overhead
}
criterion_main!(benches);
