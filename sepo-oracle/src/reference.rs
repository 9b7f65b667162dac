//! The reference: supervised fine-tuning on chosen responses.

use sepo_loss::Objective;
use sepo_model::Model;
use sepo_train::{RunOptions, TrainConfig, TrainData, TrainExample, TrainOutcome, train};

use crate::OracleError;

/// How the run went; `model`, the base on entry, is the reference on return.
///
/// The loss is the mean negative log-likelihood of a chosen response token; rejected responses are not run.
///
/// # Errors
///
/// [`OracleError::Train`] where training fails.
pub fn train_reference(
    model: &mut Model,
    examples: &[TrainExample],
    config: &TrainConfig,
    options: RunOptions<'_>,
) -> Result<TrainOutcome, OracleError> {
    let chosen: Vec<TrainExample> = examples.iter().map(chosen_only).collect();
    train(model, TrainData { examples: &chosen, eval: &[] }, &Objective::Sft, config, options)
        .map_err(|source| OracleError::Train { stage: "reference", source })
}

fn chosen_only(example: &TrainExample) -> TrainExample {
    let TrainExample { row, prompt_ids, chosen_ids, .. } = example;
    TrainExample::pair(*row, prompt_ids.clone(), chosen_ids.clone(), Vec::new())
}
