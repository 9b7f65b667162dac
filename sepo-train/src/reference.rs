//! Log-probs of a frozen reference, computed once and kept beside each token.

use std::borrow::Cow;
use std::ops::Range;

use sepo_data::Side;
use sepo_loss::Objective;
use sepo_model::{Backend, Cpu, FrozenModel, Model};

use crate::batch::{Batch, RowChoice, rows_not_finite};
use crate::groups::Groups;
use crate::{Examples, ReferenceLogps, TrainError, TrainExample};

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
    reference_logps_on(&Cpu, model, examples, tokens_per_batch)
}

/// As [`reference_logps`], on any backend.
///
/// # Errors
///
/// Those of [`reference_logps`], and [`TrainError::Model`] where a device fails.
pub fn reference_logps_on<B: Backend>(
    on: &B,
    model: &Model,
    examples: &mut [TrainExample],
    tokens_per_batch: usize,
) -> Result<(), TrainError> {
    let mut found: Vec<ReferenceLogps> = Vec::with_capacity(examples.len());
    let mut model = FrozenModel::on(on, model)?;
    reference_logps_of_each(&mut model, &*examples, tokens_per_batch, |_, reference| {
        found.push(reference);
        Ok::<(), TrainError>(())
    })?;
    for (example, reference) in examples.iter_mut().zip(found) {
        example.reference = Some(reference);
    }
    Ok(())
}

/// Hands each example to `take`, in order, with the log-prob of every response token under `model`.
///
/// As [`reference_logps`], but no more than the examples of one forward pass are in memory.
///
/// # Errors
///
/// Those of [`reference_logps`], of [`ExampleFile::get`](crate::ExampleFile::get), and of `take`, which ends the pass.
pub fn reference_logps_of_each<'a, B: Backend, E: From<TrainError>>(
    model: &mut FrozenModel<'_, B>,
    examples: impl Into<Examples<'a>>,
    tokens_per_batch: usize,
    mut take: impl FnMut(&TrainExample, ReferenceLogps) -> Result<(), E>,
) -> Result<(), E> {
    let examples = examples.into();
    reference_logps_by_pass(model, examples, 0..examples.len(), tokens_per_batch, |group, logps| {
        group.iter().zip(logps).try_for_each(|(example, logps)| take(example, logps))
    })
}

/// Hands the examples of the numbers given to `take`, those of one forward pass at a time, with the log-prob of every
/// response token under `model`.
///
/// As [`reference_logps_of_each`]. Passes that begin with the same example are the same: who stops behind a pass and goes
/// on later from there gets the same bits.
///
/// # Errors
///
/// Those of [`reference_logps_of_each`].
///
/// # Panics
///
/// Where there are no examples of these numbers.
pub fn reference_logps_by_pass<'a, B: Backend, E: From<TrainError>>(
    model: &mut FrozenModel<'_, B>,
    examples: impl Into<Examples<'a>>,
    numbers: Range<usize>,
    tokens_per_batch: usize,
    mut take: impl FnMut(&[Cow<'a, TrainExample>], Vec<ReferenceLogps>) -> Result<(), E>,
) -> Result<(), E> {
    // Any objective will do: all rows of both sides are asked for.
    let groups = Groups::new(examples.into(), &Objective::Sft, RowChoice::All, tokens_per_batch);
    for group in groups.within(numbers) {
        let group = group?;
        let logps = logps_of_group(model, &group)?;
        take(&group, logps)?;
    }
    Ok(())
}

fn logps_of_group<B: Backend>(
    model: &mut FrozenModel<'_, B>,
    group: &[Cow<'_, TrainExample>],
) -> Result<Vec<ReferenceLogps>, TrainError> {
    let batch = Batch::new(group.iter().map(Cow::as_ref).collect(), &Objective::Sft, RowChoice::All)?;
    let logps = batch.logps(|batch| model.logps(batch))?;
    let rows = rows_not_finite(&batch, &logps);
    if !rows.is_empty() {
        return Err(TrainError::LogpsNotFinite { rows });
    }
    let of_each = batch.examples.iter().enumerate().map(|(index, example)| {
        let side = |side| side_logps(&batch, index, example, side, &logps);
        ReferenceLogps { chosen: side(Side::Chosen), rejected: side(Side::Rejected) }
    });
    Ok(of_each.collect())
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
    let tokens = RowChoice::All.tokens(example, side, &Objective::Sft);
    for (token, row) in tokens.into_iter().zip(batch.rows(index, side)) {
        values[token] = logps[row] as f32;
    }
    values
}
