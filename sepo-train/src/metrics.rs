//! One line of `metrics.jsonl`.

use sepo_loss::Objective;
use serde::{Deserialize, Serialize};

use crate::length_moments::LengthMoments;
use crate::sums::Sums;

/// What one step did. Names in the file are TRL's; a number that is not known is left out of the line.
///
/// Every mean is a sum over the whole step divided once: over pairs that are not empty, or over tokens.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StepMetrics {
    /// Steps made, this one included.
    pub step: u64,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Mean loss over pairs, or over tokens for [`Objective::Sft`](sepo_loss::Objective::Sft); before the update.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loss: Option<f64>,
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Norm of the gradient before clipping; none where the batch was empty.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grad_norm: Option<f64>,
    /// What the pairs of the step say.
    #[serde(flatten)]
    pub preference: PreferenceMetrics,
    /// What the weights of tokens say.
    #[serde(flatten)]
    pub weights: WeightMetrics,
    /// Lengths and margins of the pairs, for guards; not in the file.
    #[serde(skip)]
    pub(crate) lengths: LengthMoments,
    /// Tokens that went through the network.
    pub tokens: u64,
    /// Log-probs computed.
    pub rows: u64,
    /// Examples of the step, empty ones included.
    pub pairs: u64,
    /// Examples without tokens to learn from.
    pub empty_pairs: u64,
    /// Floating-point operations that the step needed, see [`Flops`](sepo_model::Flops).
    #[serde(default)]
    pub flops: u64,
    /// Tokens per second.
    pub tokens_per_s: f64,
    /// Examples per second.
    pub pairs_per_s: f64,
    /// Largest resident memory of the process so far.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peak_rss_bytes: Option<u64>,
}

impl StepMetrics {
    /// Mean log-prob of a token of the chosen responses, where every token counts 1.
    pub(crate) fn chosen_token_logp(&self) -> Option<f64> {
        Some(self.preference.chosen_logp? / self.lengths.chosen_length()?)
    }
}

/// Weights of tokens, where examples or the step have them.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct WeightMetrics {
    /// Mean weight of a response token; the share of tokens kept, where weights are 0 and 1.
    #[serde(rename = "weights/mean", skip_serializing_if = "Option::is_none", default)]
    pub mean: Option<f64>,
    /// β at which all tokens with weight 1 would count as much: β times the mean weight, where the loss does not divide by weights.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub effective_beta: Option<f64>,
}

impl WeightMetrics {
    pub(crate) fn new(sums: &Sums, objective: &Objective) -> Self {
        let mean = sums.weight.get().filter(|_| sums.is_weighted);
        let loss = objective.composition();
        Self { mean, effective_beta: loss.zip(mean).map(|(loss, mean)| loss.effective_beta(mean)) }
    }
}

/// Rewards and log-probs of both responses, in steps and evaluations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PreferenceMetrics {
    /// Mean reward of the chosen response: the term of the objective whose difference is the margin.
    #[serde(rename = "rewards/chosen", skip_serializing_if = "Option::is_none", default)]
    pub chosen_reward: Option<f64>,
    /// Mean reward of the rejected response.
    #[serde(rename = "rewards/rejected", skip_serializing_if = "Option::is_none", default)]
    pub rejected_reward: Option<f64>,
    /// Share of pairs whose chosen reward is the larger one (equal is not).
    #[serde(rename = "rewards/accuracies", skip_serializing_if = "Option::is_none", default)]
    pub accuracy: Option<f64>,
    /// Mean of chosen minus rejected reward.
    #[serde(rename = "rewards/margins", skip_serializing_if = "Option::is_none", default)]
    pub margin: Option<f64>,
    /// Mean over pairs of the log-prob of the chosen response. In a step, tokens are multiplied by their weights, as only
    /// those with a weight are computed; in an evaluation all tokens count 1.
    #[serde(rename = "logps/chosen", skip_serializing_if = "Option::is_none", default)]
    pub chosen_logp: Option<f64>,
    /// The same of the rejected response.
    #[serde(rename = "logps/rejected", skip_serializing_if = "Option::is_none", default)]
    pub rejected_logp: Option<f64>,
    /// Mean log-prob of a chosen token with a weight, where examples have weights.
    #[serde(rename = "logps/chosen_selected", skip_serializing_if = "Option::is_none", default)]
    pub chosen_selected: Option<f64>,
    /// Mean log-prob of a chosen token without weight; known in evaluations only.
    #[serde(rename = "logps/chosen_unselected", skip_serializing_if = "Option::is_none", default)]
    pub chosen_unselected: Option<f64>,
    /// Mean log-prob of a rejected token with a weight.
    #[serde(rename = "logps/rejected_selected", skip_serializing_if = "Option::is_none", default)]
    pub rejected_selected: Option<f64>,
    /// Mean log-prob of a rejected token without weight.
    #[serde(rename = "logps/rejected_unselected", skip_serializing_if = "Option::is_none", default)]
    pub rejected_unselected: Option<f64>,
}

impl PreferenceMetrics {
    /// The means of `sums`; rewards only where the objective compares.
    pub(crate) fn new(sums: &Sums, is_pairwise: bool) -> Self {
        let of_pairs = |value: Option<f64>| value.filter(|_| is_pairwise);
        Self {
            chosen_reward: of_pairs(sums.chosen.reward.get()),
            rejected_reward: of_pairs(sums.rejected.reward.get()),
            accuracy: of_pairs(sums.accuracy.get()),
            margin: of_pairs(sums.margin.get()),
            chosen_logp: sums.chosen.logp.get(),
            rejected_logp: sums.rejected.logp.get(),
            chosen_selected: sums.chosen.selected.get(),
            chosen_unselected: sums.chosen.unselected.get(),
            rejected_selected: sums.rejected.selected.get(),
            rejected_unselected: sums.rejected.unselected.get(),
        }
    }
}
