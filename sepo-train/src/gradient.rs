//! The gradient of a batch of any size, one forward pass that fits into memory at a time.

use sepo_loss::{LossError, Objective};
use sepo_model::Backend;

use crate::batch::{Batch, RowChoice, contributes, rows_not_finite, split};
use crate::pass::Passes;
use crate::sums::Sums;
use crate::{StepWeights, TrainError, TrainExample};

/// What a gradient is computed with.
pub(crate) struct GradientContext<'p, 'a, B: Backend> {
    pub(crate) passes: Passes<'p, 'a, B>,
    pub(crate) objective: &'p Objective,
    pub(crate) weights: Option<&'a dyn StepWeights>,
    pub(crate) tokens_per_batch: usize,
}

/// The sums of a batch; its gradient went into a buffer.
#[derive(Debug, Default)]
pub(crate) struct BatchSums {
    pub(crate) sums: Sums,
    /// Rows whose log-probs or loss are not finite; the batch was given up at the first such forward pass.
    pub(crate) not_finite: Vec<u64>,
}

/// Adds the gradient of the **sum** of the losses of `examples` to `grads`.
///
/// Sums know nothing of how the batch was cut, so the caller divides once, by the units of the whole batch
/// (`sums.loss.weight()`): any `tokens_per_batch` gives the gradient of the one large batch, up to the rounding of f32 sums.
/// Dividing every part by its own units instead would weigh a token in a small part more than one in a large part.
pub(crate) fn accumulate<B: Backend>(
    context: &mut GradientContext<'_, '_, B>,
    examples: &[&TrainExample],
    grads: &mut B::Gradient,
) -> Result<BatchSums, TrainError> {
    let mut total = BatchSums::default();
    let (useful, empty): (Vec<&TrainExample>, Vec<&TrainExample>) =
        examples.iter().partition(|example| contributes(example, context.objective));
    total.sums.n_pairs += empty.len() as u64;
    total.sums.n_empty += empty.len() as u64;
    let objective = context.objective;
    for group in split(&useful, objective, RowChoice::Weighted, context.tokens_per_batch) {
        let mut batch = Batch::new(group, objective, RowChoice::Weighted)?;
        let forward = context.passes.forward(&batch)?;
        let logps = &forward.values.logps;
        total.not_finite = rows_not_finite(&batch, logps);
        if !total.not_finite.is_empty() {
            return Ok(total);
        }
        if let Some(weights) = context.weights {
            batch.weigh(weights, logps)?;
        }
        let evaluation = match sepo_loss::evaluate(objective, &batch.loss(&forward)) {
            Err(LossError::LossNotFinite { pair, .. }) => {
                total.not_finite = vec![batch.examples[pair].row];
                return Ok(total);
            }
            other => other?,
        };
        total.sums.add(&batch, logps, &evaluation);
        let back = context.passes.backward(&forward, &evaluation, grads)?;
        total.sums.flops += forward.flops + back;
    }
    Ok(total)
}

#[cfg(test)]
mod tests;
