//! How many weights a configuration stands for, without laying them out.

use super::{Family, Mlp, ModelConfig};
use crate::ModelError;

/// Most weights of a model: 4 TiB of them in f32. Below this no size or offset overflows.
const MAX_PARAMETERS: u128 = 1 << 40;

impl ModelConfig {
    /// Numbers of a model of this shape, known without its weights.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_model::{Model, ModelConfig};
    ///
    /// let config = ModelConfig::from_json(r#"{
    ///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
    ///     "num_hidden_layers": 1, "num_attention_heads": 2
    /// }"#)?;
    /// assert_eq!(config.n_parameters(), Model::random(config, 7)?.parameters.len());
    /// # Ok::<(), sepo_model::ModelError>(())
    /// ```
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        // `check_size` has refused what does not fit.
        usize::try_from(self.count()).unwrap_or(usize::MAX)
    }

    /// Refuses sizes that multiply to more than [`MAX_PARAMETERS`], before anything of such a size is allocated.
    pub(super) fn check_size(&self) -> Result<(), ModelError> {
        let n_parameters = self.count();
        if n_parameters > MAX_PARAMETERS {
            return Err(ModelError::TooLarge { n_parameters, limit: MAX_PARAMETERS });
        }
        Ok(())
    }

    fn count(&self) -> u128 {
        // Every size is at most 2^31 and no product here has more than four of them: 128 bits hold it.
        let [vocab, d, d_ff, n_layers, n_heads, n_kv_heads, head_dim] = [
            self.vocab,
            self.d_model,
            self.d_ff,
            self.n_layers,
            self.n_heads,
            self.n_kv_heads,
            self.head_dim,
        ]
        .map(|size| size as u128);
        let (d_q, d_kv) = (n_heads * head_dim, n_kv_heads * head_dim);
        let when = |holds: bool, n: u128| if holds { n } else { 0 };
        let norm = d * if self.family == Family::GptNeoX { 2 } else { 1 };
        let attention = 2 * d_q * d
            + 2 * d_kv * d
            + when(self.biases.qkv, d_q + 2 * d_kv)
            + when(self.biases.attention_output, d)
            + when(self.qk_norm, 2 * head_dim);
        let n_wide = if self.mlp == Mlp::SwiGlu { 2 } else { 1 };
        let mlp = (n_wide + 1) * d * d_ff + when(self.biases.mlp, n_wide * d_ff + d);
        let embeddings = vocab * d * if self.tied_embeddings { 1 } else { 2 };
        embeddings + norm + n_layers * (2 * norm + attention + mlp)
    }
}
