//! How large a model of this shape is.

use super::ModelConfig;
use crate::architecture::Architecture;

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
        Architecture::new(self).into_layout().last().map_or(0, |info| info.range.end)
    }
}
