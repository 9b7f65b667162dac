//! Log-probs of a frozen reference, computed once and kept beside each token.

use sepo_data::Side;
use sepo_loss::Objective;
use sepo_model::{Activations, Model, Network};

use crate::batch::{Batch, RowChoice, rows_not_finite, split};
use crate::{ReferenceLogps, TrainError, TrainExample};

/// Fills the `reference` of each [`TrainExample`] with the log-prob of every response token under `model`.
///
/// A response token that nothing predicts (the first one, where there is no prompt) gets 0. A reference that was there is
/// replaced. Weights play no part: all response tokens are computed, so that examples may be selected later. A forward
/// pass holds at most `tokens_per_batch` tokens (or one longer example).
///
/// # Errors
///
/// * [`TrainError::Model`] where a batch cannot run, such as for an id beyond the vocabulary.
/// * [`TrainError::LogpsNotFinite`] names the rows whose log-probs are not finite.
///
/// # Examples
///
/// ```
/// use sepo_model::{Model, ModelConfig};
/// use sepo_train::{TrainExample, reference_logps};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let model = Model::random(config, 7)?;
/// let mut pairs = [TrainExample::pair(0, vec![1, 2], vec![3, 4, 5], vec![6])];
/// reference_logps(&model, &mut pairs, 4096)?;
/// let reference = pairs[0].reference.as_ref().unwrap();
/// assert_eq!((reference.chosen.len(), reference.rejected.len()), (3, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn reference_logps(
    model: &Model,
    examples: &mut [TrainExample],
    tokens_per_batch: usize,
) -> Result<(), TrainError> {
    let mut network = Network::new(&model.config, Activations::Kept);
    let mut found: Vec<ReferenceLogps> = Vec::with_capacity(examples.len());
    let borrowed: Vec<&TrainExample> = examples.iter().collect();
    // Any objective will do: all rows of both sides are asked for.
    for group in split(&borrowed, &Objective::Sft, RowChoice::All, tokens_per_batch) {
        let batch = Batch::new(group, &Objective::Sft, RowChoice::All)?;
        let logps = batch.logps(&mut network, &model.parameters)?;
        let rows = rows_not_finite(&batch, &logps);
        if !rows.is_empty() {
            return Err(TrainError::LogpsNotFinite { rows });
        }
        for (index, example) in batch.examples.iter().enumerate() {
            let side = |side| side_logps(&batch, index, example, side, &logps);
            found.push(ReferenceLogps { chosen: side(Side::Chosen), rejected: side(Side::Rejected) });
        }
    }
    for (example, reference) in examples.iter_mut().zip(found) {
        example.reference = Some(reference);
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "log-probs are stored as f32, as in the artifact files")]
fn side_logps(
    batch: &Batch<'_>,
    index: usize,
    example: &TrainExample,
    side: Side,
    logps: &[f64],
) -> Vec<f32> {
    let mut values = vec![0.0; example.ids(side).len()];
    let tokens = RowChoice::All.tokens(example, side);
    for (token, row) in tokens.into_iter().zip(batch.rows(index, side)) {
        values[token] = logps[row] as f32;
    }
    values
}
