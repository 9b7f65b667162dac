//! Peak resident memory of training, by vocabulary and tokens of a batch:
//!
//! ```sh
//! cargo run --release -p sepo-train --example memory -- 131072 4096 1   # vocabulary, tokens per batch, steps
//! ```
//!
//! A Llama of four layers and width 256, SimPO on pairs of 100 prompt tokens and two responses of 200. One process measures one case,
//! as a peak never falls. What it prints is the peak less 16 bytes a weight: weights, gradient and two moments.

#![expect(clippy::print_stdout, reason = "a program")]

use std::sync::atomic::AtomicBool;

use sepo_loss::Objective;
use sepo_model::{Cpu, Model, ModelConfig};
use sepo_train::{Observer, RunOptions, StepMetrics, TrainConfig, TrainData, TrainExample, train};

const N_PROMPT: u64 = 100;
const N_RESPONSE: u64 = 200;

struct Peaks {
    bytes_of_weights: u64,
}

impl Observer for Peaks {
    fn on_step(&mut self, metrics: &StepMetrics) {
        let is_told = [1, 2, 5].into_iter().any(|first| {
            let mut step = first;
            while step < metrics.step {
                step *= 10;
            }
            step == metrics.step
        });
        if let (true, Some(peak)) = (is_told, metrics.peak_rss_bytes) {
            let beside = peak.saturating_sub(self.bytes_of_weights) as f64 / 1e6;
            println!("step {}: {beside:.1} MB beside the weights", metrics.step);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<u64> = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let &[vocabulary, tokens_per_batch, steps] = &asked[..] else {
        return Err("give the vocabulary, the tokens of a batch and the number of steps".into());
    };
    let config = ModelConfig::from_json(&format!(
        r#"{{"model_type": "llama", "vocab_size": {vocabulary}, "hidden_size": 256, "intermediate_size": 688,
            "num_hidden_layers": 4, "num_attention_heads": 4, "tie_word_embeddings": true}}"#,
    ))?;
    let mut model = Model::random(config, 1)?;
    let ids = |n: u64, salt: u64| -> Vec<u32> {
        (0..n).filter_map(|t| u32::try_from((t * 7919 + salt * 104_729) % vocabulary).ok()).collect()
    };
    // Both responses behind one prompt; their last tokens are no inputs.
    let batch_size = usize::try_from((tokens_per_batch / (N_PROMPT + 2 * N_RESPONSE - 2)).max(1))?;
    let pairs: Vec<TrainExample> = (0..8 * batch_size as u64)
        .map(|row| {
            TrainExample::pair(
                row,
                ids(N_PROMPT, row),
                ids(N_RESPONSE, row + 100_000),
                ids(N_RESPONSE, row + 200_000),
            )
        })
        .collect();
    let config = TrainConfig {
        batch_size,
        tokens_per_batch: usize::try_from(tokens_per_batch)?,
        max_steps: Some(steps),
        ..TrainConfig::default()
    };
    let mut peaks = Peaks { bytes_of_weights: 16 * model.parameters.len() as u64 };
    let interrupt = AtomicBool::new(false);
    let options = RunOptions { on: &Cpu, dir: None, observer: &mut peaks, interrupt: &interrupt };
    let objective = Objective::SimPo { beta: 2.5, gamma: 0.5, label_smoothing: 0.0 };
    train(&mut model, TrainData::new(&pairs), &objective, &config, options)?;
    Ok(())
}
