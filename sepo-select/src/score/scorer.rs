//! Two models side by side over the same packed batches.

use std::ops::Range;

use sepo_data::{
    PackItem, PackedBatch, RowPolicy, ScoredPair, ScoredResponse, Side, TokenizedPair, TokenizedResponse,
};
use sepo_kernels::Segments;
use sepo_model::{Activations, Dtype, Model, ModelError, Network, SequenceBatch};

use super::ScoreError;

/// What makes scores of pairs: a [`Scorer`], or a [`TokenJudge`](super::TokenJudge).
pub trait PairScorer {
    /// The scores of a batch of pairs, in their order.
    ///
    /// # Errors
    ///
    /// [`ScoreError`] of the first pair that cannot be scored.
    fn score(&mut self, pairs: &[TokenizedPair]) -> Result<Vec<ScoredPair>, ScoreError>;
}

impl PairScorer for Scorer<'_> {
    fn score(&mut self, pairs: &[TokenizedPair]) -> Result<Vec<ScoredPair>, ScoreError> {
        Scorer::score(self, pairs)
    }
}

/// An oracle and its reference, ready to score batches.
#[derive(Debug)]
pub struct Scorer<'a> {
    oracle: (&'a Model, Network),
    reference: (&'a Model, Network),
}

impl<'a> Scorer<'a> {
    /// A scorer for these two models.
    ///
    /// # Errors
    ///
    /// * [`ScoreError::SameWeights`] where both hold the same weights.
    /// * [`ScoreError::Vocabulary`] where their vocabularies differ in size.
    pub fn new(oracle: &'a Model, reference: &'a Model) -> Result<Self, ScoreError> {
        let vocab = [oracle, reference].map(|model| model.config.vocab);
        if vocab[0] != vocab[1] {
            return Err(ScoreError::Vocabulary { oracle: vocab[0], reference: vocab[1] });
        }
        let hash = oracle.parameters.content_hash();
        if hash == reference.parameters.content_hash() {
            return Err(ScoreError::SameWeights { hash });
        }
        let network = |model: &'a Model| (model, Network::new(&model.config, Activations::Recomputed));
        Ok(Self { oracle: network(oracle), reference: network(reference) })
    }

    /// The same scorer, whose models' matrix products are of this type.
    #[must_use]
    pub fn with_dtype(self, dtype: Dtype) -> Self {
        let change = |(model, network): (&'a Model, Network)| (model, network.with_dtype(dtype));
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
        let oracle = logps(&mut self.oracle, "oracle", &packed)?;
        let reference = logps(&mut self.reference, "reference", &packed)?;
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

fn logps(
    (model, network): &mut (&Model, Network),
    name: &'static str,
    packed: &PackedBatch,
) -> Result<Vec<f64>, ScoreError> {
    let failed = |source| ScoreError::Model { model: name, source };
    let segments = Segments::new(packed.segment_offsets.clone(), packed.segment_parents.clone())
        .map_err(|source| failed(ModelError::Kernel(source)))?;
    let batch = SequenceBatch {
        tokens: &packed.tokens,
        segments: &segments,
        row_positions: &packed.row_positions,
        row_targets: &packed.row_targets,
    };
    network.logps(&model.parameters, &batch).map_err(failed)
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
