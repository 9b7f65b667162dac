//! A linear head on the hidden states of a frozen model that says of every token how likely it is good (TLDR, arXiv 2410.04734).

mod folder;
mod states;

use serde::{Deserialize, Serialize};

pub use folder::classifier_files;
pub use states::{PairTokens, ResponseStates};

use crate::{Model, ModelError};

/// `σ(w · h_t + b)` for every token *t*, with `h_t` the state behind the model's final norm *at* that token, which has seen it.
///
/// # Which token an index names
///
/// Unlike a log-probability, which comes from the position before a token, `logits[i]` comes from the position of token `i` itself.
///
/// # Examples
///
/// ```
/// use sepo_model::{FrozenModel, Model, ModelConfig, PairTokens, TokenClassifier};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let model = Model::random(config, 7)?;
/// let pair = PairTokens { prompt: &[1, 2], chosen: &[3, 4], rejected: &[5] };
/// let states = FrozenModel::new(&model).response_states(&[pair])?;
/// let classifier = TokenClassifier::new(&model);
/// assert_eq!(classifier.logits(&states), [0.0; 3]); // nothing learned: every token may be either
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TokenClassifier {
    /// `w` and behind it `b`.
    parameters: Vec<f32>,
    config: ClassifierConfig,
}

/// What is written beside the weights of a classifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassifierConfig {
    classifier_type: ClassifierType,
    /// Values of a state.
    hidden_size: usize,
    /// Content hash of the weights of the model whose states it reads.
    base_model_blake3: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClassifierType {
    /// A linear map and a sigmoid, token by token.
    TokenLogistic,
}

impl TokenClassifier {
    /// A classifier on the states of `model` that holds every token as likely good as not.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let hidden_size = model.config.d_model;
        let config = ClassifierConfig {
            classifier_type: ClassifierType::TokenLogistic,
            hidden_size,
            base_model_blake3: model.parameters.content_hash(),
        };
        Self { parameters: vec![0.0; hidden_size + 1], config }
    }

    /// `w` and behind it `b`.
    #[must_use]
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// The same, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// blake3 over the weights and what they were made for.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.config.base_model_blake3.as_bytes());
        hasher.update(bytemuck::cast_slice(&self.parameters));
        hasher.finalize().to_hex().to_string()
    }

    /// Nothing, where `model` is the one whose states it reads.
    ///
    /// # Errors
    ///
    /// [`ModelError::OtherBackbone`] where it is another one, or has other weights by now; [`ModelError::ConfigValue`] where its states
    /// are of another size.
    pub fn check(&self, model: &Model) -> Result<(), ModelError> {
        if self.config.hidden_size != model.config.d_model {
            return Err(ModelError::ConfigValue {
                key: "hidden_size",
                found: self.config.hidden_size.to_string(),
                expected: "as many as the states of the model have",
            });
        }
        let found = model.parameters.content_hash();
        if found == self.config.base_model_blake3 {
            return Ok(());
        }
        Err(ModelError::OtherBackbone { expected: self.config.base_model_blake3.clone(), found })
    }

    /// `w · h + b` of every state, in f64.
    ///
    /// # Panics
    ///
    /// If states are of another size than those of the model that it was made for.
    #[must_use]
    pub fn logits(&self, states: &ResponseStates) -> Vec<f64> {
        let Some((bias, weight)) = self.parameters.split_last() else { return Vec::new() };
        assert_eq!(states.d_model(), weight.len(), "states of the model that the classifier was made for");
        let dot = |state: &[f32]| -> f64 {
            state.iter().zip(weight).map(|(h, w)| f64::from(*h) * f64::from(*w)).sum()
        };
        states.rows().map(|state| dot(state) + f64::from(*bias)).collect()
    }
}
