//! Loss, gradient and metrics of a batch in one call.

use dfdx::prelude::*;

use crate::batch::{CheckedBatch, LossBatch};
use crate::error::LossError;
use crate::metrics::PairMetrics;
use crate::objective::Objective;
use crate::statistic::log_ratio;

/// The loss of a batch and its gradient.
///
/// Sums, not means: the sums of micro-batches add up, and the mean is `loss_sum / n_units` over all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Loss summed over units.
    pub loss_sum: f64,
    /// Number of units: pairs that are not empty, or for [`Objective::Sft`] the sum of the chosen weights.
    pub n_units: f64,
    /// Gradient of `loss_sum` with respect to each row of `logps`; exactly 0 at rows of weight 0 and of empty pairs.
    pub dlogps: Vec<f64>,
    /// One entry a pair, in order.
    pub pairs: Vec<PairMetrics>,
    /// Number of pairs whose loss is 0 because a response that the objective uses is empty.
    pub n_empty: usize,
}

/// The loss, its gradient with respect to every log-probability, and the metrics of each pair.
///
/// The gradient is dfdx's, in f64, of the expression that [`Objective::losses`] builds. The loss of a pair does not
/// depend on its neighbours, bit for bit.
///
/// # Shapes
///
/// See [`LossBatch`]: one row for each response token that takes part.
///
/// # Numerics
///
/// * Rows of weight 0 are never read, so they may hold NaN or −∞.
/// * A pair is *empty* if a response that the objective uses ([`Objective::Sft`] only the chosen one) has no weighted row
///   or weights that sum to 0. It has loss 0 and gradient 0, is counted in `n_empty`, and not in `n_units`.
/// * See [`negative_log_sigmoid`](crate::negative_log_sigmoid) for margins far from 0.
///
/// # Errors
///
/// * [`LossError::SettingOutOfRange`], as [`Objective::check`].
/// * [`LossError::WeightsLength`], [`LossError::ReferenceLength`] if an array is not as long as `logps`.
/// * [`LossError::ReferenceMissing`] if the objective needs a reference and the batch has none.
/// * [`LossError::PairRowsOutOfRange`] if a range is inverted or ends beyond the arrays.
/// * [`LossError::WeightNotFinite`] if a weight in use is NaN or infinite.
/// * [`LossError::LogpNotFinite`] if a log-probability in use is NaN or infinite at a row with a weight.
/// * [`LossError::WeightSumNegative`] if the objective divides by a sum of weights below 0.
/// * [`LossError::NominalOutOfRange`] if SePO divides by a nominal token count that is not finite and above 0.
/// * [`LossError::LossNotFinite`] if finite inputs overflow.
/// * [`LossError::Tape`] if dfdx runs out of memory.
///
/// # Examples
///
/// ```
/// use sepo_loss::{LossBatch, Normalizer, Objective, PairRows, evaluate};
///
/// let pair = PairRows { chosen: 0..3, rejected: 3..5, chosen_nominal: 2.0, rejected_nominal: 1.0 };
/// let batch = LossBatch {
///     logps: &[-1.0, f64::NAN, -2.0, -1.5, f64::NEG_INFINITY],
///     reference_logps: None,
///     weights: &[1.0, 0.0, 1.0, 1.0, 0.0], // SePO's selection: 0 takes a token out
///     pairs: &[pair],
/// };
/// let sepo = Objective::SePo { gamma: 1.0, lambda: 0.0, normalizer: Normalizer::Count };
/// let evaluation = evaluate(&sepo, &batch)?;
/// assert_eq!(evaluation.loss_sum, 2f64.ln()); // both means are −1.5
/// assert_eq!(evaluation.dlogps, [-0.25, 0.0, -0.25, 0.5, 0.0]);
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
pub fn evaluate(objective: &Objective, batch: &LossBatch<'_>) -> Result<Evaluation, LossError> {
    let checked = CheckedBatch::new(objective, batch)?;
    let n_pairs = batch.pairs.len();
    let n_empty = (0..n_pairs).filter(|&pair| checked.is_empty(objective, pair)).count();
    let (losses, dlogps) = if n_empty == n_pairs {
        (vec![0.0; n_pairs], vec![0.0; batch.logps.len()])
    } else {
        differentiate(objective, &checked)?
    };
    if let Some((pair, &loss)) = losses.iter().enumerate().find(|(_, loss)| !loss.is_finite()) {
        return Err(LossError::LossNotFinite { pair, loss });
    }
    let n_units = if objective.is_pairwise() {
        (n_pairs - n_empty) as f64
    } else {
        checked.chosen.weight_sums().iter().sum()
    };
    let metrics = |(pair, &loss)| PairMetrics::new(objective, &checked, pair, loss);
    let pairs = losses.iter().enumerate().map(metrics).collect();
    Ok(Evaluation { loss_sum: losses.iter().sum(), n_units, dlogps, pairs, n_empty })
}

/// The loss of every pair and the gradient of their sum with respect to every row.
fn differentiate(
    objective: &Objective,
    checked: &CheckedBatch<'_>,
) -> Result<(Vec<f64>, Vec<f64>), LossError> {
    let device = Cpu::default();
    let vector = |values: &[f64]| device.try_tensor_from_vec(values.to_vec(), (values.len(),));
    let policy = vector(checked.batch.logps)?;
    let statistic = match checked.reference {
        Some(reference) => log_ratio(policy.leaky_trace(), vector(reference)?, 1.0)?,
        None => policy.leaky_trace(),
    };
    let losses = objective.losses(statistic, &checked.chosen, &checked.rejected)?;
    let values = losses.as_vec();
    let gradients = losses.try_sum::<Rank0, _>()?.try_backward()?;
    Ok((values, gradients.get(&policy).as_vec()))
}
