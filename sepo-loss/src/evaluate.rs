//! Loss, gradient and metrics of a batch in one call.

use dfdx::prelude::*;

use crate::batch::LossBatch;
use crate::checked_batch::CheckedBatch;
use crate::composition::Weighting;
use crate::constant::PerRow;
use crate::distillation::distillation;
use crate::error::{Input, LossError, Side};
use crate::likelihood::negative_log_likelihood;
use crate::metrics::PairMetrics;
use crate::objective::Objective;
use crate::statistic::TokenTerms;

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
    /// Gradient with respect to each forward KL; empty where the objective has none.
    pub dforward_kls: Vec<f64>,
    /// Gradient with respect to each reverse KL; empty where the objective has none.
    pub dreverse_kls: Vec<f64>,
    /// Gradient with respect to each weight; empty unless weights are learned.
    pub dweights: Vec<f64>,
    /// One entry a pair, in order.
    pub pairs: Vec<PairMetrics>,
    /// Number of pairs whose loss is 0 because a response that the objective uses is empty.
    pub n_empty: usize,
}

/// The loss, its gradient with respect to every log-probability, and the metrics of each pair.
///
/// The gradient is dfdx's, in f64, of the expression that [`Composition::losses`](crate::Composition::losses) builds. The loss of a
/// pair does not depend on its neighbours, bit for bit, unless
/// [`Composition::is_batch_coupled`](crate::Composition::is_batch_coupled).
///
/// # Shapes
///
/// See [`LossBatch`]: one row for each response token that takes part.
///
/// # Numerics
///
/// * Rows of weight 0 are never read, so they may hold NaN or −∞.
/// * A pair is *empty* if a response that the objective uses ([`Objective::Sft`] and [`Objective::AlignDistil`] only the chosen one) has no weighted row
///   or weights that sum to 0. It has loss 0 and gradient 0, is counted in `n_empty`, and not in `n_units`.
/// * See [`negative_log_sigmoid`](crate::negative_log_sigmoid) for margins far from 0.
///
/// # Errors
///
/// * [`LossError::SettingOutOfRange`], [`LossError::Composition`], as [`Objective::check`].
/// * [`LossError::InputMissing`] if the objective reads an array that the batch has not.
/// * [`LossError::InputLength`] if an array is not as long as `logps`.
/// * [`LossError::PairRowsOutOfRange`] if a range is inverted or ends beyond the arrays.
/// * [`LossError::WeightNotFinite`] if a weight in use is NaN or infinite.
/// * [`LossError::InputNotFinite`] if another number in use is, at a row with a weight.
/// * [`LossError::ExtrapolationNotPositive`] if [`Objective::AlignDistil`] would divide by such.
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
///     weights: &[1.0, 0.0, 1.0, 1.0, 0.0], // SePO's selection: 0 takes a token out
///     pairs: &[pair],
///     ..LossBatch::default()
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
    let n_empty = (0..n_pairs).filter(|&pair| checked.is_empty(pair)).count();
    let mut evaluation = differentiate(objective, &checked, n_empty == n_pairs)?;
    if let Some((pair, loss)) =
        evaluation.pairs.iter().map(|pair| pair.loss).enumerate().find(|(_, loss)| !loss.is_finite())
    {
        return Err(LossError::LossNotFinite { pair, loss });
    }
    evaluation.n_empty = n_empty;
    evaluation.n_units = match objective {
        Objective::Sft => checked.layout.pairs(Side::Chosen).weight_sums().iter().sum(),
        _ => (n_pairs - n_empty) as f64,
    };
    Ok(evaluation)
}

/// The loss of every pair and the gradients of their sum; zeros where all pairs are empty.
fn differentiate(
    objective: &Objective,
    checked: &CheckedBatch<'_>,
    all_empty: bool,
) -> Result<Evaluation, LossError> {
    let device = Cpu::default();
    let n_rows = checked.batch.logps.len();
    let vector = |values: &[f64]| device.try_tensor_from_vec(values.to_vec(), (values.len(),));
    let input = |input| checked.read(input).map(vector).transpose();
    let composition = objective.composition();
    let learned = composition.is_some_and(|loss| loss.weighting == Weighting::Learned);
    let policy = vector(checked.batch.logps)?;
    let [forward, reverse] = [input(Input::ForwardKls)?, input(Input::ReverseKls)?];
    let weights = learned.then(|| vector(checked.batch.weights)).transpose()?;
    let taped = |tensor: &Option<PerRow<f64, Cpu>>| tensor.as_ref().map(PerRow::leaky_trace);
    let distilled = match *objective {
        Objective::AlignDistil { beta, .. } => {
            reverse.as_ref().zip(checked.read(Input::Extrapolations)).map(|(kls, extrapolations)| {
                distillation(kls.leaky_trace(), extrapolations, beta, checked.layout.pairs(Side::Chosen))
            })
        }
        _ => None,
    };
    let is_distilled = distilled.is_some();
    let losses = if all_empty {
        None
    } else if let Some(losses) = distilled {
        Some(losses?)
    } else if let Some(composition) = &composition {
        let terms = TokenTerms {
            logps: policy.leaky_trace(),
            reference: input(Input::ReferenceLogps)?,
            forward_kls: taped(&forward),
            reverse_kls: taped(&reverse),
            weights: taped(&weights),
            token_rewards: input(Input::TokenRewards)?,
            log_collisions: input(Input::LogCollisions)?,
        };
        Some(composition.losses(terms, &checked.layout)?)
    } else {
        Some(negative_log_likelihood(policy.leaky_trace(), checked.layout.pairs(Side::Chosen))?)
    };
    let values =
        losses.as_ref().map_or_else(|| vec![0.0; checked.batch.pairs.len()], |losses| losses.as_vec());
    let gradients = losses.map(|losses| losses.try_sum::<Rank0, _>()?.try_backward()).transpose()?;
    let gradient = |tensor: &PerRow<f64, Cpu>, on_tape: bool| match &gradients {
        Some(gradients) if on_tape => gradients.get(tensor).as_vec(),
        _ => vec![0.0; n_rows],
    };
    let kls = is_distilled || composition.is_some_and(|loss| loss.differentiates_kls());
    let of = |tensor: &Option<PerRow<f64, Cpu>>, on_tape| {
        tensor.as_ref().map(|tensor| gradient(tensor, on_tape)).unwrap_or_default()
    };
    let metrics = |(pair, &loss)| PairMetrics::new(objective, checked, pair, loss);
    Ok(Evaluation {
        loss_sum: values.iter().sum(),
        n_units: 0.0,
        dlogps: gradient(&policy, !is_distilled),
        dforward_kls: of(&forward, kls),
        dreverse_kls: of(&reverse, kls),
        dweights: of(&weights, true),
        pairs: values.iter().enumerate().map(metrics).collect(),
        n_empty: 0,
    })
}
