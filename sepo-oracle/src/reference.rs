//! The reference: supervised fine-tuning on chosen responses.

use sepo_loss::Objective;
use sepo_model::Model;
use sepo_train::{Examples, RunOptions, Sides, TrainBackend, TrainConfig, TrainData, TrainOutcome, train};

use crate::OracleError;

/// How the run went; `model`, the base on entry, is the reference on return.
///
/// The loss is the mean negative log-likelihood of a chosen response token; rejected responses are not run.
///
/// # Errors
///
/// [`OracleError::Train`] where training fails.
pub fn train_reference<'a, B: TrainBackend>(
    model: &mut Model,
    examples: impl Into<Examples<'a>>,
    config: &TrainConfig,
    options: RunOptions<'_, B>,
) -> Result<TrainOutcome, OracleError> {
    let chosen = examples.into().with_sides(Sides::ChosenOnly);
    train(model, TrainData::new(chosen), &Objective::Sft, config, options)
        .map_err(|source| OracleError::Train { stage: "reference", source })
}
