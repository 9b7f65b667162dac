//! How much memory a run needs beside its examples.

use sepo_model::{MAX_KEPT_LOGITS, ModelConfig};

use crate::{ActivationPolicy, TrainConfig};

const FLOAT_BYTES: u64 = size_of::<f32>() as u64;

/// An estimate of what a model takes in memory, in bytes.
///
/// Weights, gradient and moments are exact. Activations are what a forward pass of so many tokens keeps, with the buffers
/// that one block needs on its way; they are estimated from the shape alone, a little above what is measured.
///
/// # Examples
///
/// ```
/// use sepo_model::ModelConfig;
/// use sepo_train::{Footprint, TrainConfig};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let footprint = Footprint::training(&config, &TrainConfig::default(), 0);
/// assert_eq!(footprint.weights, 4 * config.n_parameters() as u64);
/// assert_eq!(footprint.moments, 2 * footprint.gradient);
/// # Ok::<(), sepo_model::ModelError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Weights.
    pub weights: u64,
    /// Gradient of every weight.
    pub gradient: u64,
    /// Moments of the optimizer.
    pub moments: u64,
    /// What forward and backward passes need.
    pub activations: u64,
}

impl Footprint {
    /// Of a run; `longest_tokens` is what the longest example takes, which is run alone where it exceeds a pass.
    #[must_use]
    pub fn training(model: &ModelConfig, config: &TrainConfig, longest_tokens: usize) -> Self {
        let weights = weights(model);
        let n_tokens = config.tokens_per_batch.max(longest_tokens) as u64;
        let per_token = match config.activations {
            ActivationPolicy::Kept => model.n_layers as u64 * kept_floats(model),
            ActivationPolicy::Recomputed => (model.n_layers * model.d_model) as u64 + block_floats(model),
        };
        let logits = n_tokens.saturating_mul(model.vocab as u64).min(MAX_KEPT_LOGITS as u64);
        let floats = n_tokens.saturating_mul(per_token + block_floats(model)).saturating_add(logits);
        Self {
            weights,
            gradient: weights,
            moments: 2 * weights,
            activations: FLOAT_BYTES.saturating_mul(floats),
        }
    }

    /// Of a model that only runs forward.
    #[must_use]
    pub fn inference(model: &ModelConfig, tokens_per_batch: usize, longest_tokens: usize) -> Self {
        let n_tokens = tokens_per_batch.max(longest_tokens) as u64;
        let activations = FLOAT_BYTES.saturating_mul(n_tokens.saturating_mul(2 * block_floats(model)));
        Self { weights: weights(model), activations, ..Self::default() }
    }

    /// What does not depend on the tokens of a pass.
    #[must_use]
    pub fn fixed(self) -> u64 {
        self.weights.saturating_add(self.gradient).saturating_add(self.moments)
    }

    /// Everything.
    #[must_use]
    pub fn total(self) -> u64 {
        self.fixed().saturating_add(self.activations)
    }
}

fn weights(model: &ModelConfig) -> u64 {
    FLOAT_BYTES * model.n_parameters() as u64
}

/// Floats that a block keeps of a token, see [`Activations::Kept`](sepo_model::Activations::Kept).
fn kept_floats(model: &ModelConfig) -> u64 {
    (6 * model.d_model + 2 * model.d_ff) as u64
}

/// Floats of a token that one block needs on its way.
fn block_floats(model: &ModelConfig) -> u64 {
    (8 * model.d_model + 3 * model.d_ff) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_tokens_and_recomputed_blocks_take_less() {
        let model = ModelConfig::from_json(
            r#"{"model_type": "llama", "vocab_size": 500, "hidden_size": 64, "intermediate_size": 172,
                "num_hidden_layers": 4, "num_attention_heads": 4}"#,
        )
        .unwrap();
        let config = TrainConfig::default();
        let of = |config: &TrainConfig| Footprint::training(&model, config, 0);
        let kept = of(&config);
        assert!(of(&TrainConfig { tokens_per_batch: 100, ..config.clone() }).total() < kept.total());
        let recomputed = TrainConfig { activations: ActivationPolicy::Recomputed, ..config.clone() };
        assert!(of(&recomputed).activations < kept.activations);
        assert_eq!(of(&recomputed).fixed(), kept.fixed());
        assert_eq!(Footprint::training(&model, &config, 100), kept);
        assert!(Footprint::training(&model, &config, 9000).activations > kept.activations);
        assert!(Footprint::inference(&model, 4096, 0).total() < kept.total());
        assert!(Footprint::training(&model, &config, usize::MAX).total() > kept.total(), "no overflow");
    }
}
