//! A model that only runs forward.

use std::borrow::Borrow;

use crate::network::Network;
use crate::{
    Activations, Backend, Cpu, Dtype, Flops, FrozenHead, Model, ModelConfig, ModelError, SequenceBatch,
    States,
};

/// A model that only runs forward, loaded to where a [`Backend`] computes.
///
/// # Examples
///
/// ```
/// use sepo_kernels::Segments;
/// use sepo_model::{FrozenModel, Model, ModelConfig, SequenceBatch};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let model = Model::random(config, 7)?;
/// let segments = Segments::single(3);
/// let batch =
///     SequenceBatch { tokens: &[1, 2, 3], segments: &segments, row_positions: &[2], row_targets: &[5] };
/// let logps = FrozenModel::new(&model).logps(&batch)?;
/// assert!(logps[0] < 0.0);
/// # Ok::<(), sepo_model::ModelError>(())
/// ```
#[derive(Debug)]
pub struct FrozenModel<'a, B: Backend = Cpu> {
    on: B,
    parameters: B::Loaded<'a>,
    network: Network<B>,
}

impl<'a> FrozenModel<'a> {
    /// The model on the CPU.
    #[must_use]
    pub fn new(model: &'a Model) -> Self {
        let network = Network::new(&model.config, Activations::Recomputed);
        Self { on: Cpu, parameters: &model.parameters, network }
    }
}

impl<'a, B: Backend> FrozenModel<'a, B> {
    /// The model on a backend.
    ///
    /// # Errors
    ///
    /// [`ModelError::Device`] where it cannot be loaded.
    pub fn on(on: &B, model: &'a Model) -> Result<Self, ModelError> {
        let parameters = on.load(&model.parameters)?;
        let network = Network::on(on.clone(), &model.config, Activations::Recomputed);
        Ok(Self { on: on.clone(), parameters, network })
    }

    /// The same model, whose matrix products are of this type; see [`Network::with_dtype`].
    #[must_use]
    pub fn with_dtype(self, dtype: Dtype) -> Self {
        Self { network: self.network.with_dtype(dtype), ..self }
    }

    /// Its shape.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.network.config
    }

    /// The log-probability of every row, in nats.
    ///
    /// # Errors
    ///
    /// As [`Network::logps`].
    pub fn logps(&mut self, batch: &SequenceBatch<'_>) -> Result<Vec<f64>, ModelError> {
        self.network.logps(self.parameters.borrow(), batch)
    }

    /// The states behind the final norm, for another network to compare itself with.
    ///
    /// # Errors
    ///
    /// As [`Network::logps`].
    pub fn states(&mut self, batch: &SequenceBatch<'_>) -> Result<States<B>, ModelError> {
        self.network.states(self.parameters.borrow(), batch)
    }

    /// The same states on the CPU, `[positions, d_model]`.
    pub(crate) fn states_on_host(&mut self, batch: &SequenceBatch<'_>) -> Result<Vec<f32>, ModelError> {
        let states = self.states(batch)?;
        self.on.to_host(states.hidden)
    }

    /// States that it has made, with its head.
    #[must_use]
    pub fn head<'b>(&'b self, states: &'b States<B>) -> FrozenHead<'b, B> {
        states.with_head(self.parameters.borrow())
    }

    /// What the last batch needs.
    #[must_use]
    pub fn flops(&self) -> Flops {
        self.network.flops()
    }
}
