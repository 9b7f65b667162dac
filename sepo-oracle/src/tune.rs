//! The oracle: DPO from the reference.

use sepo_loss::Objective;
use sepo_model::Model;
use sepo_train::{RunOptions, TrainBackend, TrainConfig, TrainData, TrainOutcome, train};
use serde::{Deserialize, Serialize};

use crate::OracleError;

/// Settings of DPO (arXiv 2305.18290).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DpoConfig {
    /// Scale of the implicit reward.
    pub beta: f64,
    /// Assumed share of flipped labels.
    pub label_smoothing: f64,
}

impl Default for DpoConfig {
    fn default() -> Self {
        Self { beta: 0.1, label_smoothing: 0.0 }
    }
}

/// How the run went; `model`, the reference on entry, is the oracle on return.
///
/// # Errors
///
/// [`OracleError::Train`] where an example lacks its reference log-probs (see
/// [`stored_reference_logps`](crate::stored_reference_logps)) or training fails.
pub fn train_oracle<B: TrainBackend>(
    model: &mut Model,
    data: TrainData<'_>,
    dpo: DpoConfig,
    config: &TrainConfig,
    options: RunOptions<'_, B>,
) -> Result<TrainOutcome, OracleError> {
    let DpoConfig { beta, label_smoothing } = dpo;
    train(model, data, &Objective::Dpo { beta, label_smoothing }, config, options)
        .map_err(|source| OracleError::Train { stage: "oracle", source })
}
