//! Model folders.

use sepo_model::{Model, ModelConfig};
use serde_json::{Value, json};

use crate::Scratch;

/// The configuration that goes with [`safetensors_file`].
pub const TINY_CONFIG: &str = r#"{"model_type": "llama", "vocab_size": 5, "hidden_size": 4, "intermediate_size": 3,
    "num_hidden_layers": 1, "num_attention_heads": 2, "tie_word_embeddings": true}"#;

/// One of each family, in both styles of rotary settings.
pub const CONFIGS: [&str; 7] = [
    r#"{"model_type": "llama", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 5, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "max_position_embeddings": 32,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16}, "bos_token_id": 1, "eos_token_id": [2, 3], "dtype": "bfloat16"}"#,
    r#"{"model_type": "llama", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 5, "num_hidden_layers": 1,
        "num_attention_heads": 2, "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0,
        "partial_rotary_factor": 0.5}, "attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true}"#,
    r#"{"model_type": "mistral", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 5, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "sliding_window": 3, "initializer_range": 0.2}"#,
    r#"{"model_type": "gpt_neox", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 5, "num_hidden_layers": 1,
        "num_attention_heads": 2, "rotary_pct": 0.5, "rotary_emb_base": 10000, "use_parallel_residual": true,
        "hidden_act": "gelu", "layer_norm_eps": 1e-5, "attention_bias": true}"#,
    r#"{"model_type": "gpt_neox", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 5, "num_hidden_layers": 1,
        "num_attention_heads": 2, "rotary_pct": 1.0, "use_parallel_residual": false, "hidden_act": "gelu_new"}"#,
    r#"{"model_type": "qwen2", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 5, "num_hidden_layers": 2,
        "num_attention_heads": 2, "use_sliding_window": true, "sliding_window": 2, "max_window_layers": 1,
        "hidden_act": "silu"}"#,
    r#"{"model_type": "qwen3", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 5, "num_hidden_layers": 2,
        "num_attention_heads": 2, "head_dim": 6, "use_sliding_window": true, "sliding_window": 2,
        "layer_types": ["sliding_attention", "full_attention"], "rope_theta": 1000000.0}"#,
];

/// [`CONFIGS`] as JSON values.
pub fn config_values() -> Vec<Value> {
    CONFIGS.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
}

/// Weights for [`TINY_CONFIG`].
pub fn safetensors_file(scratch: &Scratch) -> Vec<u8> {
    let dir = scratch.path("base-model");
    let config = ModelConfig::from_json(TINY_CONFIG).expect("a valid configuration");
    Model::random(config, 7).expect("a valid configuration").save(&dir, None).expect("the folder is there");
    let bytes = std::fs::read(dir.join("model.safetensors")).expect("it was just written");
    std::fs::remove_dir_all(&dir).expect("it was just written");
    bytes
}

/// The same weights in two files, with their names.
pub fn shards(scratch: &Scratch) -> [(&'static str, Vec<u8>); 2] {
    let bytes = safetensors_file(scratch);
    let whole = safetensors::SafeTensors::deserialize(&bytes).expect("a valid file");
    let half = |first: bool| {
        let tensors = whole.tensors().into_iter().filter(|(name, _)| name.contains("mlp") == first);
        safetensors::serialize(tensors, None).expect("valid tensors")
    };
    [("model-1.safetensors", half(true)), ("model-2.safetensors", half(false))]
}

/// The index of [`shards`].
pub fn index_value(scratch: &Scratch) -> Value {
    let bytes = safetensors_file(scratch);
    let whole = safetensors::SafeTensors::deserialize(&bytes).expect("a valid file");
    let file = |name: &str| if name.contains("mlp") { "model-1.safetensors" } else { "model-2.safetensors" };
    let map: serde_json::Map<String, Value> =
        whole.names().into_iter().map(|name| (name.to_string(), Value::from(file(name)))).collect();
    json!({"metadata": {"total_size": bytes.len()}, "weight_map": map})
}
