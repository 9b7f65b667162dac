//! Freshly drawn weights.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

use crate::{Model, ModelConfig, ModelError, Parameters};

impl Model {
    /// A model with weights drawn as `transformers` draws them: linear maps and embeddings from a normal distribution of
    /// standard deviation `initializer_range`, biases 0, norm scales 1. The same seed gives the same weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::ConfigValue`] where `initializer_range` is no standard deviation.
    pub fn random(config: ModelConfig, seed: u64) -> Result<Self, ModelError> {
        let normal = Normal::new(0.0, config.initializer_range).map_err(|_| ModelError::ConfigValue {
            key: "initializer_range",
            found: config.initializer_range.to_string(),
            expected: "a positive number",
        })?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut parameters = Parameters::zeros(&config);
        for info in parameters.layout().to_vec() {
            let tensor = &mut parameters.as_mut_slice()[info.range];
            if info.decay {
                #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
                tensor.fill_with(|| normal.sample(&mut rng) as f32);
            } else if info.name.ends_with(".weight") {
                tensor.fill(1.0);
            }
        }
        Ok(Self { config, parameters })
    }
}
