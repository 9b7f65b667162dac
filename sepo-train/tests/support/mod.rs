//! A tiny model, seeded pairs, and a run in one call.
#![expect(dead_code, reason = "every test file uses a part of it")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_loss::{Normalizer, Objective};
use sepo_model::{Cpu, Model, ModelConfig};
use sepo_train::{
    EvalReport, Observer, RunOptions, StepMetrics, TrainConfig, TrainData, TrainError, TrainExample,
    TrainOutcome, Warning, train,
};
use serde_json::Value;

pub(crate) const VOCAB: u32 = 23;

pub(crate) const SEPO: Objective = Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Count };
pub(crate) const DPO: Objective = Objective::Dpo { beta: 0.5, label_smoothing: 0.0 };

pub(crate) fn tiny_model(seed: u64) -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 23, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}"#,
    );
    Model::random(config.unwrap(), seed).unwrap()
}

/// Pairs of random tokens and lengths; every token counts.
pub(crate) fn random_pairs(n: u64, seed: u64) -> Vec<TrainExample> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ids = |most: u32| -> Vec<u32> {
        let n_tokens = 1 + rng.next_u32() % most;
        (0..n_tokens).map(|_| rng.next_u32() % VOCAB).collect()
    };
    (0..n).map(|row| TrainExample::pair(row + 100, ids(4), ids(7), ids(7))).collect()
}

/// Pairs with random 0/1 weights; some sides have no token left.
pub(crate) fn weighted_pairs(n: u64, seed: u64) -> Vec<TrainExample> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let mut pairs = random_pairs(n, seed);
    for pair in &mut pairs {
        let mut weights = |n: usize| (0..n).map(|_| (rng.next_u32() % 2) as f32).collect();
        pair.chosen_weights = Some(weights(pair.chosen_ids.len()));
        pair.rejected_weights = Some(weights(pair.rejected_ids.len()));
    }
    pairs
}

pub(crate) fn quick_config() -> TrainConfig {
    TrainConfig {
        learning_rate: 3e-3,
        batch_size: 3,
        tokens_per_batch: 24,
        epochs: 2.0,
        weight_decay: 0.01,
        seed: 5,
        save_every: Some(2),
        keep_checkpoints: 100,
        ..TrainConfig::default()
    }
}

/// Notes everything, and asks the run to stop after a step.
#[derive(Default)]
pub(crate) struct Recorder<'a> {
    pub(crate) steps: Vec<StepMetrics>,
    pub(crate) evals: Vec<(u64, EvalReport)>,
    pub(crate) checkpoints: Vec<u64>,
    pub(crate) warnings: Vec<String>,
    pub(crate) stop_after: Option<(u64, &'a AtomicBool)>,
}

impl Observer for Recorder<'_> {
    fn on_step(&mut self, metrics: &StepMetrics) {
        self.steps.push(metrics.clone());
        if let Some((step, flag)) = self.stop_after.filter(|(step, _)| *step == metrics.step) {
            let _ = step;
            flag.store(true, Ordering::Relaxed);
        }
    }

    fn on_eval(&mut self, step: u64, report: &EvalReport) {
        self.evals.push((step, report.clone()));
    }

    fn on_checkpoint(&mut self, step: u64, folder: &Path) {
        assert!(folder.join("state.json").is_file());
        self.checkpoints.push(step);
    }

    fn on_warning(&mut self, warning: &Warning) {
        self.warnings.push(warning.to_string());
    }
}

impl Recorder<'_> {
    /// Warnings about checkpoints, without those about batches.
    pub(crate) fn checkpoint_warnings(&self) -> Vec<&String> {
        self.warnings.iter().filter(|warning| warning.contains("checkpoint")).collect()
    }
}

/// A run to its end; the model, what was observed, and the outcome.
pub(crate) fn run(
    dir: Option<&Path>,
    examples: &[TrainExample],
    objective: &Objective,
    config: &TrainConfig,
) -> (Model, Recorder<'static>, Result<TrainOutcome, TrainError>) {
    let mut model = tiny_model(1);
    let mut recorder = Recorder::default();
    let data = TrainData::new(examples);
    let interrupt = AtomicBool::new(false);
    let options = RunOptions { on: &Cpu, dir, observer: &mut recorder, interrupt: &interrupt };
    let outcome = train(&mut model, data, objective, config, options);
    (model, recorder, outcome)
}

/// A run that is asked to stop after `step`.
pub(crate) fn run_until(
    step: u64,
    dir: &Path,
    examples: &[TrainExample],
    objective: &Objective,
    config: &TrainConfig,
) -> TrainOutcome {
    let mut model = tiny_model(1);
    let interrupt = AtomicBool::new(false);
    let mut recorder = Recorder { stop_after: Some((step, &interrupt)), ..Recorder::default() };
    let options = RunOptions { on: &Cpu, dir: Some(dir), observer: &mut recorder, interrupt: &interrupt };
    train(&mut model, TrainData::new(examples), objective, config, options).unwrap()
}

/// Bits of all weights.
pub(crate) fn bits(model: &Model) -> Vec<u32> {
    model.parameters.as_slice().iter().map(|value| value.to_bits()).collect()
}

/// Lines of `metrics.jsonl` without what depends on the clock.
pub(crate) fn metrics(dir: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut lines {
        for timing in ["tokens_per_s", "pairs_per_s", "peak_rss_bytes"] {
            line.as_object_mut().unwrap().shift_remove(timing);
        }
    }
    lines
}

/// Bytes of a tensor file of a checkpoint.
pub(crate) fn checkpoint_file(dir: &Path, step: u64, file: &str) -> Vec<u8> {
    std::fs::read(dir.join(format!("checkpoints/step-{step:08}/{file}"))).unwrap()
}

/// Steps of all checkpoints, ascending.
pub(crate) fn checkpoint_steps(dir: &Path) -> Vec<u64> {
    let names = std::fs::read_dir(dir.join("checkpoints")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut steps: Vec<u64> =
        names.map(|name| name.strip_prefix("step-").unwrap().parse().unwrap()).collect();
    steps.sort_unstable();
    steps
}

/// A copy of a run folder as a crash would leave it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
