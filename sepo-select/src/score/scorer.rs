//! Two models side by side over the same packed batches.

use std::fmt::Debug;
use std::ops::Range;

use sepo_data::{
    PackItem, PackedBatch, RowPolicy, ScoredPair, ScoredResponse, Side, TokenizedPair, TokenizedResponse,
};
use sepo_kernels::Segments;
use sepo_model::{Backend, Cpu, Dtype, FrozenModel, Model, ModelError, SequenceBatch};

use super::ScoreError;

/// What makes scores of pairs: a [`Scorer`], or a [`TokenJudge`](super::TokenJudge).
pub trait PairScorer: Debug {
    /// The scores of a batch of pairs, in their order.
    ///
    /// # Errors
    ///
    /// [`ScoreError`] of the first pair that cannot be scored.
    fn score(&mut self, pairs: &[TokenizedPair]) -> Result<Vec<ScoredPair>, ScoreError>;
}

impl<B: Backend> PairScorer for Scorer<'_, B> {
    fn score(&mut self, pairs: &[TokenizedPair]) -> Result<Vec<ScoredPair>, ScoreError> {
        Scorer::score(self, pairs)
    }
}

/// A model that is asked for log-probabilities.
#[derive(Debug)]
struct Judge<'a, B: Backend> {
    name: &'static str,
    model: FrozenModel<'a, B>,
}

/// An oracle and its reference, ready to score batches, on the CPU or on another [`Backend`].
#[derive(Debug)]
pub struct Scorer<'a, B: Backend = Cpu> {
    oracle: Judge<'a, B>,
    reference: Judge<'a, B>,
}

impl<'a> Scorer<'a> {
    /// A scorer for these two models, on the CPU.
    ///
    /// # Errors
    ///
    /// * [`ScoreError::SameWeights`] where both hold the same weights.
    /// * [`ScoreError::Vocabulary`] where their vocabularies differ in size.
    pub fn new(oracle: &'a Model, reference: &'a Model) -> Result<Self, ScoreError> {
        Self::on(&Cpu, oracle, reference)
    }
}

impl<'a, B: Backend> Scorer<'a, B> {
    /// A scorer for these two models, on a backend that both are loaded to.
    ///
    /// # Errors
    ///
    /// As [`Scorer::new`], and [`ScoreError::Model`] where one cannot be loaded.
    pub fn on(on: &B, oracle: &'a Model, reference: &'a Model) -> Result<Self, ScoreError> {
        let vocab = [oracle, reference].map(|model| model.config.vocab);
        if vocab[0] != vocab[1] {
            return Err(ScoreError::Vocabulary { oracle: vocab[0], reference: vocab[1] });
        }
        let hash = oracle.parameters.content_hash();
        if hash == reference.parameters.content_hash() {
            return Err(ScoreError::SameWeights { hash });
        }
        let judge = |name, model: &'a Model| {
            let loaded = FrozenModel::on(on, model);
            let model = loaded.map_err(|source| ScoreError::Model { model: name, source })?;
            Ok::<_, ScoreError>(Judge { name, model })
        };
        Ok(Self { oracle: judge("oracle", oracle)?, reference: judge("reference", reference)? })
    }

    /// The same scorer, whose models' matrix products are of this type, where the backend leaves a choice.
    #[must_use]
    pub fn with_dtype(self, dtype: Dtype) -> Self {
        let change = |judge: Judge<'a, B>| Judge { model: judge.model.with_dtype(dtype), ..judge };
        Self { oracle: change(self.oracle), reference: change(self.reference) }
    }

    /// The scores of a batch of pairs, in their order; every prompt runs once through each model.
    ///
    /// # Errors
    ///
    /// * [`ScoreError::Pack`], [`ScoreError::Model`] where ids or sizes do not fit the models.
    /// * [`ScoreError::NoContext`] where a prompt is empty, so that nothing predicts the first response token.
    /// * [`ScoreError::NonFinite`] where a log-probability is not a number, with row, side and token.
    pub fn score(&mut self, pairs: &[TokenizedPair]) -> Result<Vec<ScoredPair>, ScoreError> {
        if let Some(pair) = pairs.iter().find(|pair| pair.prompt_ids.is_empty()) {
            return Err(ScoreError::NoContext { row: pair.row });
        }
        let items: Vec<PackItem<'_>> = pairs.iter().map(pack_item).collect();
        let packed = PackedBatch::pack(&items, RowPolicy::AllResponse)?;
        let oracle = self.oracle.logps(&packed)?;
        let reference = self.reference.logps(&packed)?;
        let both = [("oracle", &oracle[..]), ("reference", &reference[..])];
        let scored = pairs.iter().zip(&packed.pairs).map(|(pair, rows)| {
            let chosen = (Side::Chosen, &pair.chosen, rows.chosen.clone());
            let rejected = (Side::Rejected, &pair.rejected, rows.rejected.clone());
            Ok(ScoredPair {
                row: pair.row,
                prompt_ids: pair.prompt_ids.clone(),
                chosen: scored_response(pair.row, both, chosen)?,
                rejected: scored_response(pair.row, both, rejected)?,
            })
        });
        scored.collect()
    }
}

pub(super) fn pack_item(pair: &TokenizedPair) -> PackItem<'_> {
    PackItem {
        row: pair.row,
        prompt_ids: &pair.prompt_ids,
        chosen_ids: &pair.chosen.ids,
        rejected_ids: &pair.rejected.ids,
        ..PackItem::default()
    }
}

impl<B: Backend> Judge<'_, B> {
    fn logps(&mut self, packed: &PackedBatch) -> Result<Vec<f64>, ScoreError> {
        let failed = |source| ScoreError::Model { model: self.name, source };
        let segments = Segments::new(packed.segment_offsets.clone(), packed.segment_parents.clone())
            .map_err(|source| failed(ModelError::Kernel(source)))?;
        let batch = SequenceBatch {
            tokens: &packed.tokens,
            segments: &segments,
            row_positions: &packed.row_positions,
            row_targets: &packed.row_targets,
        };
        self.model.logps(&batch).map_err(failed)
    }
}

fn scored_response(
    row: u64,
    logps: [(&'static str, &[f64]); 2],
    (side, response, rows): (Side, &TokenizedResponse, Range<usize>),
) -> Result<ScoredResponse, ScoreError> {
    for (model, values) in logps {
        if let Some(token) = values[rows.clone()].iter().position(|value| !value.is_finite()) {
            return Err(ScoreError::NonFinite { row, side, token, model, value: values[rows.start + token] });
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "stored as f32, rounded once")]
    let rounded = |value: f64| value as f32;
    let [oracle, reference] = logps.map(|(_, values)| &values[rows.clone()]);
    Ok(ScoredResponse {
        ids: response.ids.clone(),
        oracle_logps: oracle.iter().copied().map(rounded).collect(),
        reference_logps: reference.iter().copied().map(rounded).collect(),
        scores: oracle.iter().zip(reference).map(|(oracle, reference)| rounded(oracle - reference)).collect(),
        spans: response.spans.clone(),
        truncated: response.truncated,
    })
}
