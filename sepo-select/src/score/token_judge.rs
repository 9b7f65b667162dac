//! A token classifier in the place of two models.

use std::ops::Range;

use sepo_data::{ScoredPair, ScoredResponse, Side, TokenizedPair, TokenizedResponse};
use sepo_model::{Backend, Cpu, Dtype, FrozenModel, Model, PairTokens, TokenClassifier};

use super::{PairScorer, ScoreError};

/// A classifier with the frozen model whose states it reads, ready to score batches.
///
/// A token's score is its log-odds `log p − log(1 − p)`, with p the probability that it is good. What a file of scores calls the
/// oracle's log-probability is `log p`, the reference's `log(1 − p)`, so that a score is their difference here as well; `σ(score)` is p.
#[derive(Debug)]
pub struct TokenJudge<'a, B: Backend = Cpu> {
    classifier: &'a TokenClassifier,
    model: FrozenModel<'a, B>,
}

impl<'a> TokenJudge<'a> {
    /// A judge by this classifier, on the CPU.
    ///
    /// # Errors
    ///
    /// [`ScoreError::Model`] where `model` is not the one that the classifier was made for.
    pub fn new(classifier: &'a TokenClassifier, model: &'a Model) -> Result<Self, ScoreError> {
        Self::on(&Cpu, classifier, model)
    }
}

impl<'a, B: Backend> TokenJudge<'a, B> {
    /// A judge by this classifier, whose model is loaded to a backend.
    ///
    /// # Errors
    ///
    /// As [`TokenJudge::new`], and [`ScoreError::Model`] where the model cannot be loaded.
    pub fn on(on: &B, classifier: &'a TokenClassifier, model: &'a Model) -> Result<Self, ScoreError> {
        let failed = |source| ScoreError::Model { model: "classifier", source };
        classifier.check(model).map_err(failed)?;
        Ok(Self { classifier, model: FrozenModel::on(on, model).map_err(failed)? })
    }

    /// The same judge, whose model's matrix products are of this type, where the backend leaves a choice.
    #[must_use]
    pub fn with_dtype(self, dtype: Dtype) -> Self {
        Self { model: self.model.with_dtype(dtype), ..self }
    }
}

impl<B: Backend> PairScorer for TokenJudge<'_, B> {
    fn score(&mut self, pairs: &[TokenizedPair]) -> Result<Vec<ScoredPair>, ScoreError> {
        let ids: Vec<PairTokens<'_>> = pairs
            .iter()
            .map(|pair| PairTokens {
                prompt: &pair.prompt_ids,
                chosen: &pair.chosen.ids,
                rejected: &pair.rejected.ids,
            })
            .collect();
        let states = self
            .model
            .response_states(&ids)
            .map_err(|source| ScoreError::Model { model: "classifier's model", source })?;
        let logits = self.classifier.logits(&states);
        let scored = pairs.iter().zip(states.sides()).map(|(pair, [chosen, rejected])| {
            let of = |side, response, rows: &Range<usize>| {
                judged((pair.row, side), response, &logits[rows.clone()])
            };
            Ok(ScoredPair {
                row: pair.row,
                prompt_ids: pair.prompt_ids.clone(),
                chosen: of(Side::Chosen, &pair.chosen, chosen)?,
                rejected: of(Side::Rejected, &pair.rejected, rejected)?,
            })
        });
        scored.collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "stored as f32, rounded once")]
fn judged(
    (row, side): (u64, Side),
    response: &TokenizedResponse,
    logits: &[f64],
) -> Result<ScoredResponse, ScoreError> {
    if let Some(token) = logits.iter().position(|logit| !logit.is_finite()) {
        return Err(ScoreError::NonFinite { row, side, token, model: "classifier", value: logits[token] });
    }
    Ok(ScoredResponse {
        ids: response.ids.clone(),
        oracle_logps: logits.iter().map(|logit| log_sigmoid(*logit) as f32).collect(),
        reference_logps: logits.iter().map(|logit| log_sigmoid(-logit) as f32).collect(),
        scores: logits.iter().map(|logit| *logit as f32).collect(),
        spans: response.spans.clone(),
        truncated: response.truncated,
    })
}

/// `log σ(z)`, without overflow.
fn log_sigmoid(z: f64) -> f64 {
    z.min(0.0) - (-z.abs()).exp().ln_1p()
}
