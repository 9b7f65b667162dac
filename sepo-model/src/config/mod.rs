//! The shape of a decoder-only transformer, read from a Hugging Face `config.json`.

mod json;
mod keys;
mod rope;
mod size;

use sepo_kernels::{Gelu, RotaryConfig};

pub(crate) use keys::shortened;

pub(crate) const KNOWN_MODEL_TYPES: &str = "gpt_neox, llama, mistral, qwen2, qwen3";

/// Architecture families, by their `model_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// GPT-NeoX and Pythia: LayerNorm, fused QKV, GELU, parallel or sequential residual.
    GptNeoX,
    /// Llama 1 to 3, TinyLlama, SmolLM.
    Llama,
    /// Mistral: Llama with an optional sliding window.
    Mistral,
    /// Qwen2 and 2.5: Llama with biases on Q, K and V.
    Qwen2,
    /// Qwen3: Llama with RMSNorm on every query and key head.
    Qwen3,
}

/// Which normalisation stands before attention, MLP and head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// Root mean square, scale only.
    Rms,
    /// Mean and variance, scale and shift.
    Layer,
}

/// Form of the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mlp {
    /// `down(silu(gate(x)) · up(x))`.
    SwiGlu,
    /// `down(gelu(up(x)))`.
    Gelu(Gelu),
}

/// How attention and MLP join the residual stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residual {
    /// `m = x + attention(norm(x)); y = m + mlp(norm(m))`.
    Sequential,
    /// `y = x + attention(norm(x)) + mlp(norm'(x))`.
    Parallel,
}

/// Which linear maps carry a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    /// Query, key and value projections.
    pub qkv: bool,
    /// The attention's output projection.
    pub attention_output: bool,
    /// The MLP's maps.
    pub mlp: bool,
}

/// The shape of a model: everything that decides which parameters exist and what a forward pass does with them.
///
/// # Examples
///
/// ```
/// use sepo_model::{Family, ModelConfig};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24,
///     "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2
/// }"#)?;
/// assert_eq!(config.family, Family::Llama);
/// assert_eq!(config.head_dim, 4);
/// # Ok::<(), sepo_model::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// Architecture family.
    pub family: Family,
    /// Rows of the embedding and of the output head.
    pub vocab: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of the MLP's hidden layer.
    pub d_ff: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Query heads.
    pub n_heads: usize,
    /// Key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// Positions that the model was made for, in tokens.
    pub max_position: usize,
    /// Normalisation.
    pub norm: Norm,
    /// Added to the (mean) square before the root.
    pub norm_eps: f32,
    /// Rotary embedding.
    pub rotary: RotaryConfig,
    /// MLP.
    pub mlp: Mlp,
    /// Residual form.
    pub residual: Residual,
    /// Biases.
    pub biases: Biases,
    /// Whether queries and keys are normalised per head before the rotary embedding.
    pub qk_norm: bool,
    /// Whether the output head is the embedding.
    pub tied_embeddings: bool,
    /// Sliding window in tokens per layer, `None` for full attention.
    pub windows: Vec<Option<usize>>,
    /// Standard deviation of freshly drawn weights.
    pub initializer_range: f64,
    /// Beginning-of-sequence id, where the file names one.
    pub bos_token_id: Option<u32>,
    /// End-of-sequence ids, possibly none.
    pub eos_token_ids: Vec<u32>,
    /// The file as it was read; written back with what this crate changes.
    pub(crate) raw: serde_json::Map<String, serde_json::Value>,
}
