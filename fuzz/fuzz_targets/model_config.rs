//! `config.json`: what is accepted survives being written, and a small model of that shape runs.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sepo_fuzz::{base, describe, json_of, watched};
use sepo_kernels::Segments;
use sepo_model::{Activations, Model, ModelConfig, Network, SequenceBatch};
use serde_json::Value;

static CONFIGS: LazyLock<Vec<Value>> = LazyLock::new(base::config_values);

/// Larger models take too long for an input.
const PARAMETERS: usize = 20_000;

fn run(config: ModelConfig) {
    let Ok(model) = Model::random(config, 7) else { return };
    let vocab = u32::try_from(model.config.vocab).expect("a small model");
    let tokens = [0, vocab / 2, vocab - 1, 0];
    let segments = Segments::single(tokens.len());
    let batch = SequenceBatch {
        tokens: &tokens,
        segments: &segments,
        row_positions: &[2, 3],
        row_targets: &[0, vocab - 1],
    };
    let mut network = Network::new(&model.config, Activations::Kept);
    network.forward(&model.parameters, &batch).expect("a batch within the vocabulary");
    let mut gradient = vec![0.0; model.parameters.len()];
    network.backward(&model.parameters, &[1.0, -1.0], &mut gradient).expect("after a forward pass");
}

fuzz_target!(init: sepo_fuzz::watch(), |data: &[u8]| {
    watched(|| {
        let text = json_of(data, &CONFIGS);
        let Ok(text) = std::str::from_utf8(&text) else { return };
        match ModelConfig::from_json(text) {
            Ok(config) => {
                let again = ModelConfig::from_json(&config.to_json()).expect("what was written is read");
                assert_eq!(again.n_parameters(), config.n_parameters());
                if config.n_parameters() <= PARAMETERS {
                    run(config);
                }
            }
            Err(error) => describe(&error),
        }
    });
});
