//! What the tests of this crate share.

#![expect(dead_code, reason = "each test file uses a part of it")]

use std::path::PathBuf;

use sepo_kernels::Segments;
use sepo_model::{Activations, Model, ModelConfig, Network, SequenceBatch};

/// The shared folder with golden models, or `None` (said on stdout) where it is not there.
#[expect(clippy::print_stdout, reason = "says what was skipped")]
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(part);
    if !path.exists() {
        println!("skipped: {part} is not there");
        return None;
    }
    Some(path)
}

/// The five families and the variants of each that change the network, small enough to differentiate by hand.
pub(crate) const CONFIGS: [(&str, &str); 8] = [
    ("llama with grouped heads", r#""model_type": "llama", "num_key_value_heads": 2"#),
    ("llama with biases", r#""model_type": "llama", "attention_bias": true, "mlp_bias": true"#),
    (
        "llama, tied, llama3 rotary",
        r#""model_type": "llama", "tie_word_embeddings": true, "rope_parameters": {"rope_type": "llama3",
        "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8}"#,
    ),
    ("mistral with a window", r#""model_type": "mistral", "num_key_value_heads": 1, "sliding_window": 3"#),
    ("neox, parallel", r#""model_type": "gpt_neox", "rotary_pct": 0.5"#),
    (
        "neox, sequential, tanh",
        r#""model_type": "gpt_neox", "rotary_pct": 1.0, "use_parallel_residual": false, "hidden_act": "gelu_new""#,
    ),
    ("qwen2", r#""model_type": "qwen2", "num_key_value_heads": 2, "tie_word_embeddings": true"#),
    ("qwen3", r#""model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 6"#),
];

pub(crate) const VOCAB: usize = 23;

/// The configuration of that name in [`CONFIGS`].
pub(crate) fn config(keys: &str) -> ModelConfig {
    let text = format!(
        r#"{{ {keys}, "vocab_size": {VOCAB}, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2,
        "num_attention_heads": 4, "initializer_range": 0.3 }}"#
    );
    ModelConfig::from_json(&text).unwrap()
}

/// A random model whose norms and biases are not at their neutral start either.
pub(crate) fn model(keys: &str, seed: u64) -> Model {
    let mut model = Model::random(config(keys), seed).unwrap();
    for (i, info) in model.parameters.layout().to_vec().into_iter().enumerate() {
        if !info.decay {
            for (j, value) in model.parameters.as_mut_slice()[info.range].iter_mut().enumerate() {
                *value += 0.2 * (((i * 31 + j * 17) % 13) as f32 / 6.0 - 1.0);
            }
        }
    }
    model
}

/// Log-probs, and the gradient of their sum weighted by `dlogps`, of one pass.
pub(crate) fn pass(
    model: &Model,
    activations: Activations,
    batch: &SequenceBatch<'_>,
    dlogps: impl Fn(&[f64]) -> Vec<f64>,
) -> (Vec<f64>, Vec<f32>) {
    let mut network = Network::new(&model.config, activations);
    let logps = network.forward(&model.parameters, batch).unwrap();
    let mut gradient = vec![0.0; model.parameters.len()];
    network.backward(&model.parameters, &dlogps(&logps), &mut gradient).unwrap();
    (logps, gradient)
}

/// `log p(ids[t + 1] | ids[..= t])` for every `t`.
pub(crate) fn sequence_rows(ids: &[u32]) -> (Segments, Vec<u32>, Vec<u32>) {
    let n = u32::try_from(ids.len()).unwrap() - 1;
    (Segments::single(ids.len()), (0..n).collect(), ids[1..].to_vec())
}

/// ‖a − b‖ / ‖b‖, or ‖a‖ where `b` is zero.
pub(crate) fn relative_l2(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> f64 {
    let (mut difference, mut norm) = (0.0, 0.0);
    for (a, b) in a.zip(b) {
        difference += (a - b) * (a - b);
        norm += b * b;
    }
    difference.sqrt() / if norm > 0.0 { norm.sqrt() } else { 1.0 }
}
