//! `config.json` in and out.

use serde_json::{Map, Value};

use super::keys::{Keys, shortened};
use super::rope::rotary_config;
use super::{Biases, Family, Mlp, ModelConfig, Norm, Residual};
use crate::ModelError;
use sepo_kernels::Gelu;

impl ModelConfig {
    /// A configuration from the text of a Hugging Face `config.json`, in the style with `rope_theta` and
    /// `rope_scaling` or the newer one with `rope_parameters`.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Json`] where the text is not a JSON object.
    /// * [`ModelError::UnknownModelType`] where the family is not one of [`Family`].
    /// * [`ModelError::ConfigValue`] where a key is missing, of the wrong type or out of range, or sizes do not divide.
    /// * [`ModelError::TooLarge`] where the sizes multiply to more weights than any machine holds.
    pub fn from_json(text: &str) -> Result<Self, ModelError> {
        let raw = serde_json::from_str(text)
            .map_err(|source| ModelError::Json { path: "config.json".into(), source })?;
        Self::from_object(raw)
    }

    /// A configuration from the object in a `config.json`.
    pub(crate) fn from_object(raw: Map<String, Value>) -> Result<Self, ModelError> {
        let keys = Keys(&raw);
        let family = family(keys)?;
        let neox = family == Family::GptNeoX;
        let d_model = keys.size_or("hidden_size", None)?;
        let n_heads = keys.size_or("num_attention_heads", None)?;
        let n_kv_heads = if neox { n_heads } else { keys.size_or("num_key_value_heads", Some(n_heads))? };
        let head_dim = keys.size_or("head_dim", Some((d_model / n_heads).max(1)))?;
        let n_layers = keys.n_layers()?;
        let config = Self {
            family,
            vocab: keys.size_or("vocab_size", None)?,
            d_model,
            d_ff: keys.size_or("intermediate_size", None)?,
            n_layers,
            n_heads,
            n_kv_heads,
            head_dim,
            max_position: keys.size_or("max_position_embeddings", Some(2048))?,
            norm: if neox { Norm::Layer } else { Norm::Rms },
            norm_eps: norm_eps(keys, neox)?,
            rotary: rotary_config(keys, family, head_dim)?,
            mlp: mlp(keys, neox)?,
            residual: residual(keys, neox)?,
            biases: biases(keys, family)?,
            qk_norm: family == Family::Qwen3,
            tied_embeddings: keys.flag_or("tie_word_embeddings", false)?,
            windows: windows(keys, family, n_layers)?,
            initializer_range: keys.number_or("initializer_range", 0.02)?,
            bos_token_id: keys.ids("bos_token_id")?.first().copied(),
            eos_token_ids: keys.ids("eos_token_id")?,
            raw: Map::new(),
        };
        config.check()?;
        Ok(Self { raw, ..config })
    }

    /// The text of a `config.json` for weights in f32; keys that this crate does not know are kept.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut raw = self.raw.clone();
        // `transformers` renamed the key; whichever the file has is the one its reader looks at.
        let key = if raw.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        raw.insert(key.to_owned(), Value::from("float32"));
        serde_json::to_string_pretty(&Value::Object(raw)).unwrap_or_default() + "\n"
    }

    fn check(&self) -> Result<(), ModelError> {
        let wrong = |key, found: usize, expected| {
            Err(ModelError::ConfigValue { key, found: found.to_string(), expected })
        };
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            return wrong("num_key_value_heads", self.n_kv_heads, "a divisor of num_attention_heads");
        }
        if self.family == Family::GptNeoX && self.n_heads * self.head_dim != self.d_model {
            return wrong("hidden_size", self.d_model, "a multiple of num_attention_heads");
        }
        if self.rotary.rotary_dim > self.head_dim || !self.rotary.rotary_dim.is_multiple_of(2) {
            return wrong("head_dim", self.head_dim, "even, and at least the rotary width");
        }
        self.check_size()
    }
}

fn family(keys: Keys<'_>) -> Result<Family, ModelError> {
    match keys.get("model_type").and_then(Value::as_str) {
        Some("gpt_neox") => Ok(Family::GptNeoX),
        Some("llama") => Ok(Family::Llama),
        Some("mistral") => Ok(Family::Mistral),
        Some("qwen2") => Ok(Family::Qwen2),
        Some("qwen3") => Ok(Family::Qwen3),
        Some(other) => Err(ModelError::UnknownModelType { model_type: shortened(other) }),
        None => Err(keys.wrong("model_type", super::KNOWN_MODEL_TYPES)),
    }
}

fn norm_eps(keys: Keys<'_>, neox: bool) -> Result<f32, ModelError> {
    let eps =
        if neox { keys.number_or("layer_norm_eps", 1e-5) } else { keys.number_or("rms_norm_eps", 1e-6) }?;
    #[expect(clippy::cast_possible_truncation, reason = "the norm adds it in f32")]
    Ok(eps as f32)
}

fn mlp(keys: Keys<'_>, neox: bool) -> Result<Mlp, ModelError> {
    let activation = keys.get("hidden_act").and_then(Value::as_str);
    match (neox, activation) {
        (false, Some("silu" | "swish") | None) => Ok(Mlp::SwiGlu),
        (true, Some("gelu") | None) => Ok(Mlp::Gelu(Gelu::Exact)),
        (true, Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh")) => Ok(Mlp::Gelu(Gelu::Tanh)),
        (false, _) => Err(keys.wrong("hidden_act", "`silu`")),
        (true, _) => Err(keys.wrong("hidden_act", "`gelu`, `gelu_new`, `gelu_fast` or `gelu_pytorch_tanh`")),
    }
}

fn residual(keys: Keys<'_>, neox: bool) -> Result<Residual, ModelError> {
    let parallel = neox && keys.flag_or("use_parallel_residual", true)?;
    Ok(if parallel { Residual::Parallel } else { Residual::Sequential })
}

fn biases(keys: Keys<'_>, family: Family) -> Result<Biases, ModelError> {
    Ok(match family {
        Family::GptNeoX => {
            let attention = keys.flag_or("attention_bias", true)?;
            Biases { qkv: attention, attention_output: attention, mlp: true }
        }
        Family::Llama => {
            let attention = keys.flag_or("attention_bias", false)?;
            Biases { qkv: attention, attention_output: attention, mlp: keys.flag_or("mlp_bias", false)? }
        }
        Family::Mistral => Biases { qkv: false, attention_output: false, mlp: false },
        Family::Qwen2 => Biases { qkv: true, attention_output: false, mlp: false },
        Family::Qwen3 => {
            let attention = keys.flag_or("attention_bias", false)?;
            Biases { qkv: attention, attention_output: attention, mlp: false }
        }
    })
}

/// Sliding windows as `transformers` resolves them: Mistral on every layer; Qwen only with `use_sliding_window`, on the
/// layers that `layer_types` names or, without it, from `max_window_layers` on.
fn windows(keys: Keys<'_>, family: Family, n_layers: usize) -> Result<Vec<Option<usize>>, ModelError> {
    let qwen = matches!(family, Family::Qwen2 | Family::Qwen3);
    let on = match family {
        Family::Mistral => true,
        Family::Qwen2 | Family::Qwen3 => keys.flag_or("use_sliding_window", false)?,
        Family::GptNeoX | Family::Llama => false,
    };
    if !on || keys.get("sliding_window").is_none() {
        return Ok(vec![None; n_layers]);
    }
    let window = Some(keys.size_or("sliding_window", None)?);
    if !qwen {
        return Ok(vec![window; n_layers]);
    }
    if let Some(types) = keys.get("layer_types").and_then(Value::as_array) {
        if types.len() != n_layers {
            return Err(keys.wrong("layer_types", "one entry a layer"));
        }
        return Ok(types.iter().map(|t| window.filter(|_| t == "sliding_attention")).collect());
    }
    let first = match keys.get("max_window_layers") {
        Some(value) => value.as_u64().and_then(|v| usize::try_from(v).ok()),
        None => Some(28),
    }
    .ok_or_else(|| keys.wrong("max_window_layers", "a whole number"))?;
    Ok((0..n_layers).map(|layer| window.filter(|_| layer >= first)).collect())
}
