//! Claim: on a GPU, training and scoring at the shapes of real models use most of what its matrix units can do
//!
//! For each shape: `SePO` on 30 % of the tokens, DPO, and scoring by two models, in bf16, with random weights and tokens.
//! A line gives the median of the steps behind the first three: seconds, pairs and tokens a second, and the share of the rate of
//! one large matrix product, measured first, that the operations of the step come to. Nothing is measured without a GPU; with
//! `--test` a small shape then runs on the CPU that stands in for one in the tests. `--shape NAME` runs one.

#![expect(clippy::cast_possible_truncation, reason = "sizes are small")]
#![expect(clippy::print_stdout, reason = "it prints what it measures")]

#[path = "../../sepo-kernels/tests/cuda_on_cpu/build.rs"]
mod build;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../sepo-kernels/tests/cuda_on_cpu/machine.rs"]
mod machine;
#[path = "../../sepo-kernels/tests/cuda_on_cpu/process.rs"]
mod process;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use machine::{Machine, machines};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_kernels::cuda::{Bf16, Heap, HeapMemory, linear};
use sepo_kernels::{LinearShape, Segments, Write};
use sepo_loss::{Normalizer, Objective};
use sepo_model::{Cuda, Dtype, FrozenModel, Model, ModelConfig, SequenceBatch};
use sepo_train::{
    Observer, ReferenceLogps, RunOptions, StepMetrics, TrainConfig, TrainData, TrainExample, train,
};

/// A model's shape, and how long the parts of a pair are.
struct Shape {
    name: &'static str,
    config: &'static str,
    prompt: usize,
    response: usize,
    pairs: usize,
}

const SMALL: Shape = Shape {
    name: "small",
    config: r#"{"model_type": "llama", "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}"#,
    prompt: 5,
    response: 7,
    pairs: 2,
};

/// 8192 tokens a step.
const REAL: [Shape; 2] = [
    Shape {
        name: "pythia-410m",
        config: r#"{"model_type": "gpt_neox", "vocab_size": 50304, "hidden_size": 1024, "intermediate_size": 4096,
            "num_hidden_layers": 24, "num_attention_heads": 16, "rotary_pct": 0.25, "max_position_embeddings": 2048}"#,
        prompt: 256,
        response: 384,
        pairs: 8,
    },
    Shape {
        name: "llama-1b",
        config: r#"{"model_type": "llama", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 8192,
            "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 4096}"#,
        prompt: 256,
        response: 384,
        pairs: 8,
    },
];

const STEPS: usize = 12;
const WARM_UP: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let named = args.iter().position(|arg| arg == "--shape").and_then(|at| args.get(at + 1));
    let mut machines = machines();
    let (shapes, product): (&[Shape], usize) = match machines.last() {
        Some(Machine::Gpu(_)) => (&REAL, 8192),
        Some(Machine::Cpu(_)) if args.iter().any(|arg| arg == "--test") => (std::slice::from_ref(&SMALL), 32),
        _ => {
            println!("skipped: there is no GPU");
            return Ok(());
        }
    };
    let Some(machine) = machines.pop().map(Arc::new) else { return Ok(()) };
    let rate = matrix_rate(&*machine, product)?;
    println!("matrix product of {product}^3 in bf16: {:.1} Tflop/s", rate / 1e12);
    let on = Cuda::<_, Bf16>::new(machine);
    for shape in shapes.iter().filter(|shape| named.is_none_or(|name| name == shape.name)) {
        let mut model = Model::random(ModelConfig::from_json(shape.config)?, 1)?;
        let reference = Model::random(model.config.clone(), 2)?;
        score(&on, shape, [&model, &reference], rate)?;
        let sepo = Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Count };
        let examples = pairs(shape, &model.config, true);
        step(&on, shape, &mut model, (&sepo, &examples), rate)?;
        let dpo = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };
        let examples = pairs(shape, &model.config, false);
        step(&on, shape, &mut model, (&dpo, &examples), rate)?;
    }
    Ok(())
}

/// Operations a second of a product of `n` by `n` by `n`, the best of some.
fn matrix_rate<H: Heap>(on: &H, n: usize) -> Result<f64, Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut matrix = || -> Result<H::Memory<Bf16>, Box<dyn Error>> {
        let values: Vec<Bf16> =
            (0..n * n).map(|_| Bf16::from_f32(rng.next_u32() as f32 / u32::MAX as f32 - 0.5)).collect();
        let mut memory = on.allocate(values.len())?;
        on.upload(&values, memory.slice_mut())?;
        Ok(memory)
    };
    let (x, weight, mut y) = (matrix()?, matrix()?, matrix()?);
    let shape = LinearShape { n_rows: n, d_in: n, d_out: n };
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        on.download(y.slice().range(0..1))?;
        let start = Instant::now();
        for _ in 0..10 {
            linear(on, x.slice(), weight.slice(), y.slice_mut(), shape, Write::Overwrite)?;
        }
        on.download(y.slice().range(0..1))?;
        best = best.min(start.elapsed().as_secs_f64() / 10.0);
    }
    Ok(2.0 * (n as f64).powi(3) / best)
}

fn ids(rng: &mut ChaCha8Rng, n: usize, vocab: usize) -> Vec<u32> {
    (0..n).map(|_| rng.next_u32() % u32::try_from(vocab).expect("small")).collect()
}

/// Pairs for all steps; with a reference, and where `selected` with weights on 30 % of the tokens.
fn pairs(shape: &Shape, config: &ModelConfig, selected: bool) -> Vec<TrainExample> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let n = shape.response;
    let mut pair = |row| {
        let [prompt, chosen, rejected] =
            [shape.prompt, n, n].map(|length| ids(&mut rng, length, config.vocab));
        let mut pair = TrainExample::pair(row, prompt, chosen, rejected);
        let logp = -(config.vocab as f32).ln();
        pair.reference = Some(ReferenceLogps { chosen: vec![logp; n], rejected: vec![logp; n] });
        let mut weights = || (0..n).map(|_| f32::from(u8::from(rng.next_u32() % 10 < 3))).collect();
        if selected {
            (pair.chosen_weights, pair.rejected_weights) = (Some(weights()), Some(weights()));
        }
        pair
    };
    (0..(STEPS * shape.pairs) as u64).map(&mut pair).collect()
}

#[derive(Default)]
struct Steps(Vec<StepMetrics>);

impl Observer for Steps {
    fn on_step(&mut self, metrics: &StepMetrics) {
        self.0.push(metrics.clone());
    }
}

fn step(
    on: &Cuda<Machine, Bf16>,
    shape: &Shape,
    model: &mut Model,
    (objective, pairs): (&Objective, &[TrainExample]),
    rate: f64,
) -> Result<(), Box<dyn Error>> {
    let config = TrainConfig {
        batch_size: shape.pairs,
        tokens_per_batch: shape.pairs * (shape.prompt + 2 * shape.response),
        max_steps: Some(STEPS as u64),
        dtype: Dtype::Bf16,
        ..TrainConfig::default()
    };
    let mut steps = Steps::default();
    let options = RunOptions { on, dir: None, observer: &mut steps, interrupt: &AtomicBool::new(false) };
    train(model, TrainData::new(pairs), objective, &config, options)?;
    let measured = &steps.0[WARM_UP..];
    assert!(measured.iter().all(|step| step.loss.is_some_and(f64::is_finite)), "every step has a loss");
    let seconds = median(measured.iter().map(|step| step.pairs as f64 / step.pairs_per_s));
    let last = &measured[0];
    let name = format!("{} {}", shape.name, objective.name());
    tell(&name, seconds, (last.pairs, last.tokens, last.flops), rate);
    Ok(())
}

fn score(
    on: &Cuda<Machine, Bf16>,
    shape: &Shape,
    models: [&Model; 2],
    rate: f64,
) -> Result<(), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let vocab = models[0].config.vocab;
    let length = shape.prompt + 2 * shape.response;
    let tokens = ids(&mut rng, shape.pairs * length, vocab);
    let (mut offsets, mut parents, mut positions) = (vec![0], Vec::new(), Vec::new());
    for pair in 0..shape.pairs {
        let start = pair * length;
        let (behind_prompt, behind_chosen) = (start + shape.prompt, start + shape.prompt + shape.response);
        offsets.extend([behind_prompt, behind_chosen, start + length]);
        parents.extend([None, Some(3 * pair), Some(3 * pair)]);
        for response in [behind_prompt, behind_chosen] {
            // The first token of a response is predicted by the prompt's last.
            positions.push(behind_prompt - 1);
            positions.extend(response..response + shape.response - 1);
        }
    }
    let positions: Vec<u32> = positions.into_iter().map(|at| u32::try_from(at).expect("small")).collect();
    let (segments, targets) = (Segments::new(offsets, parents)?, ids(&mut rng, positions.len(), vocab));
    let batch = SequenceBatch {
        tokens: &tokens,
        segments: &segments,
        row_positions: &positions,
        row_targets: &targets,
    };
    let [mut oracle, mut reference] = [FrozenModel::on(on, models[0])?, FrozenModel::on(on, models[1])?];
    let mut seconds = Vec::new();
    for _ in 0..STEPS {
        let start = Instant::now();
        let logps = [oracle.logps(&batch)?, reference.logps(&batch)?];
        seconds.push(start.elapsed().as_secs_f64());
        assert!(logps.iter().flatten().all(|logp| logp.is_finite() && *logp < 0.0), "log-probabilities");
    }
    let flops = oracle.flops().forward + reference.flops().forward;
    let done = (shape.pairs as u64, tokens.len() as u64, flops);
    tell(&format!("{} scoring", shape.name), median(seconds.into_iter().skip(WARM_UP)), done, rate);
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn tell(name: &str, seconds: f64, (pairs, tokens, flops): (u64, u64, u64), rate: f64) {
    let [pairs_per_s, tokens_per_s] = [pairs, tokens].map(|n| n as f64 / seconds);
    let utilisation = 100.0 * flops as f64 / seconds / rate;
    println!(
        "{name}: {:.2} ms, {pairs_per_s:.1} pairs/s, {tokens_per_s:.0} tokens/s, {utilisation:.1} % of the product's rate",
        1e3 * seconds
    );
}
