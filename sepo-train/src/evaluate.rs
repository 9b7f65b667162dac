//! How well a model tells the two responses of pairs apart.

use std::borrow::{Borrow, Cow};

use sepo_data::Side;
use sepo_loss::Objective;
use sepo_model::{Activations, Backend, Cpu, Model, Network};
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, RowChoice, rows_not_finite};
use crate::beside::{Companion, check_inputs, reads_collisions};
use crate::groups::Groups;
use crate::mean::{Mean, indicator};
use crate::metrics::PreferenceMetrics;
use crate::pass::Passes;
use crate::sums::Sums;
use crate::{Beside, Examples, StepWeights, TrainError};

/// Means over evaluation examples; a number that is not known is `None`, and left out of the JSON.
///
/// In `metrics.jsonl` each name has `eval_` before it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvalReport {
    /// Examples.
    pub n: u64,
    /// Examples without tokens that the objective compares; not part of the loss and the rewards.
    pub n_empty: u64,
    /// Mean loss over pairs, or over tokens for [`Objective::Sft`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loss: Option<f64>,
    /// Rewards of the objective, and log-probs; `logps/chosen` and `logps/rejected` count every response token 1.
    #[serde(flatten)]
    pub preference: PreferenceMetrics,
    /// Share of pairs whose chosen response has the larger log-prob.
    #[serde(rename = "accuracies/logp_sum", skip_serializing_if = "Option::is_none", default)]
    pub accuracy_by_sum: Option<f64>,
    /// Share of pairs whose chosen response has the larger mean log-prob of a token.
    #[serde(rename = "accuracies/logp_mean", skip_serializing_if = "Option::is_none", default)]
    pub accuracy_by_mean: Option<f64>,
    /// Share of pairs, of those with a reference, whose chosen response gained more log-prob over the reference.
    #[serde(rename = "accuracies/implicit_reward", skip_serializing_if = "Option::is_none", default)]
    pub accuracy_by_reward: Option<f64>,
    /// Tokens that went through the network.
    pub tokens: u64,
    /// Log-probs computed.
    pub rows: u64,
}

/// What `model` makes of the examples: loss, accuracies, rewards and log-probs.
///
/// All response tokens are computed, those without weight too. A comparison counts strictly: equal log-probs are no
/// success. A pair with a response that has no predicted token is in no accuracy. A forward pass holds at most
/// `tokens_per_batch` tokens (or one longer example); the result depends on it only by rounding.
///
/// # Errors
///
/// * [`TrainError::NoReference`], [`TrainError::Length`], [`TrainError::NotFinite`],
///   [`TrainError::WeightWithoutPrompt`] for an example that does not fit.
/// * [`TrainError::LogpsNotFinite`] names rows whose log-probs are not finite.
/// * [`TrainError::Model`], [`TrainError::Loss`] where a batch cannot run.
/// * Those of [`ExampleFile::get`](crate::ExampleFile::get) for examples on disk.
///
/// # Examples
///
/// ```
/// use sepo_loss::Objective;
/// use sepo_model::{Model, ModelConfig};
/// use sepo_train::{TrainExample, evaluate_pairs};
///
/// let config = ModelConfig::from_json(r#"{
///     "model_type": "llama", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
///     "num_hidden_layers": 1, "num_attention_heads": 2
/// }"#)?;
/// let model = Model::random(config, 7)?;
/// let pairs = [TrainExample::pair(0, vec![1, 2], vec![3], vec![4, 5, 6, 7, 8, 9])];
/// let report = evaluate_pairs(&model, &pairs, &Objective::Sft, 4096)?;
/// assert_eq!(report.accuracy_by_sum, Some(1.0)); // of a random model, the shorter one is the likelier
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate_pairs<'a>(
    model: &Model,
    examples: impl Into<Examples<'a>>,
    objective: &Objective,
    tokens_per_batch: usize,
) -> Result<EvalReport, TrainError> {
    evaluate_pairs_on(&Cpu, model, examples, (objective, Beside::default()), tokens_per_batch)
}

/// As [`evaluate_pairs`], on a [`Backend`], and with what the objective reads besides examples.
///
/// # Errors
///
/// Those of [`evaluate_pairs`]; [`TrainError::NoReferenceModel`], [`TrainError::NoTeacher`], [`TrainError::OtherVocabulary`],
/// [`TrainError::WeightsLearned`], [`TrainError::StepWeights`] where the objective and what is beside it do not go together.
pub fn evaluate_pairs_on<'a, B: Backend>(
    on: &B,
    model: &Model,
    examples: impl Into<Examples<'a>>,
    (objective, beside): (&Objective, Beside<'_>),
    tokens_per_batch: usize,
) -> Result<EvalReport, TrainError> {
    let examples = examples.into();
    objective.check()?;
    check_inputs(objective)?;
    examples.check(objective)?;
    let mut network = Network::on(on.clone(), &model.config, Activations::Kept);
    let mut companion = Companion::of(on, objective, beside, model.config.vocab)?;
    let loaded = on.load(&model.parameters)?;
    let passes = Passes {
        network: &mut network,
        parameters: loaded.borrow(),
        companion: companion.as_mut(),
        collisions: reads_collisions(objective),
    };
    evaluate_checked(passes, examples, (objective, beside.weights), tokens_per_batch)
}

/// As [`evaluate_pairs`], for examples that have been checked and with a network that is there already.
pub(crate) fn evaluate_checked<B: Backend>(
    mut passes: Passes<'_, '_, B>,
    examples: Examples<'_>,
    (objective, weights): (&Objective, Option<&dyn StepWeights>),
    tokens_per_batch: usize,
) -> Result<EvalReport, TrainError> {
    let mut sums = Sums::default();
    let mut comparisons = Comparisons::default();
    for group in Groups::new(examples, objective, RowChoice::All, tokens_per_batch) {
        let group = group?;
        let mut batch = Batch::new(group.iter().map(Cow::as_ref).collect(), objective, RowChoice::All)?;
        let forward = passes.measure(&batch)?;
        let logps = &forward.values.logps;
        let rows = rows_not_finite(&batch, logps);
        if !rows.is_empty() {
            return Err(TrainError::LogpsNotFinite { rows });
        }
        if let Some(weights) = weights {
            batch.weigh(weights, logps)?;
        }
        let evaluation = sepo_loss::evaluate(objective, &batch.loss(&forward))?;
        sums.add(&batch, logps, &evaluation);
        comparisons.add(&batch, logps);
    }
    let preference = PreferenceMetrics {
        chosen_logp: comparisons.chosen_logp.get(),
        rejected_logp: comparisons.rejected_logp.get(),
        ..PreferenceMetrics::new(&sums, objective.is_pairwise())
    };
    Ok(EvalReport {
        n: sums.n_pairs,
        n_empty: sums.n_empty,
        loss: sums.loss.get(),
        preference,
        accuracy_by_sum: comparisons.by_sum.get(),
        accuracy_by_mean: comparisons.by_mean.get(),
        accuracy_by_reward: comparisons.by_reward.get(),
        tokens: sums.n_tokens,
        rows: sums.n_rows,
    })
}

/// Whole responses, every token counted 1.
#[derive(Default)]
struct Comparisons {
    chosen_logp: Mean,
    rejected_logp: Mean,
    by_sum: Mean,
    by_mean: Mean,
    by_reward: Mean,
}

/// One response.
struct Response {
    logp: f64,
    mean: f64,
    /// Log-prob gained over the reference.
    gain: Option<f64>,
}

impl Comparisons {
    fn add(&mut self, batch: &Batch<'_>, logps: &[f64]) {
        for index in 0..batch.examples.len() {
            let [chosen, rejected] = Side::BOTH.map(|side| Response::new(batch, index, side, logps));
            for (mean, response) in [(&mut self.chosen_logp, &chosen), (&mut self.rejected_logp, &rejected)] {
                if let Some(response) = response {
                    mean.push(response.logp);
                }
            }
            let (Some(chosen), Some(rejected)) = (chosen, rejected) else { continue };
            self.by_sum.push(indicator(chosen.logp > rejected.logp));
            self.by_mean.push(indicator(chosen.mean > rejected.mean));
            if let (Some(chosen), Some(rejected)) = (chosen.gain, rejected.gain) {
                self.by_reward.push(indicator(chosen > rejected));
            }
        }
    }
}

impl Response {
    /// `None` where no token of it is predicted.
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
    fn new(batch: &Batch<'_>, index: usize, side: Side, logps: &[f64]) -> Option<Self> {
        let rows = batch.rows(index, side);
        let n_rows = rows.len();
        if n_rows == 0 {
            return None;
        }
        let example = batch.examples[index];
        let logp: f64 = logps[rows].iter().sum();
        let gain = example.reference(side).map(|reference| {
            let tokens = RowChoice::All.tokens(example, side, &Objective::Sft);
            logp - tokens.into_iter().map(|token| f64::from(reference[token])).sum::<f64>()
        });
        Some(Self { logp, mean: logp / n_rows as f64, gain })
    }
}
