//! `scores.parquet`: for every response token what oracle and reference say about it.

use arrow::datatypes::{Float32Type, UInt32Type};

use super::column::{Column, ColumnKind, ROW};
use super::row::{ArtifactRow, Value};
use super::view::{Place, RowView};
use super::{ArtifactError, ArtifactReader, ArtifactWriter, ScoresMeta};
use crate::{Side, Span};

/// One scored response.
///
/// # Which token an index names
///
/// Index `i` of every list is the response token `ids[i]` as the *predicted* token, the first (which the last prompt
/// token predicts) and the closing end-of-sequence token included.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoredResponse {
    /// Ids of the response tokens.
    pub ids: Vec<u32>,
    /// Natural log-probability of each under the oracle.
    pub oracle_logps: Vec<f32>,
    /// The same under the reference.
    pub reference_logps: Vec<f32>,
    /// Oracle minus reference, taken before either was rounded.
    pub scores: Vec<f32>,
    /// Bytes of the response text for each token; `None` where the input had ids only.
    pub spans: Option<Vec<Span>>,
    /// Whether tokens were cut off its end.
    pub truncated: bool,
}

/// One row of `scores.parquet`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoredPair {
    /// Row in the source.
    pub row: u64,
    /// Ids before the responses.
    pub prompt_ids: Vec<u32>,
    /// The preferred response.
    pub chosen: ScoredResponse,
    /// The dispreferred response.
    pub rejected: ScoredResponse,
}

/// A `scores.parquet` under construction; the counts in the metadata (pairs, tokens, truncated responses) are kept by
/// the writer.
pub type ScoresWriter = ArtifactWriter<ScoredPair>;

/// The rows of a `scores.parquet`.
///
/// # Examples
///
/// ```
/// use sepo_data::{ScoredPair, ScoredResponse, ScoresMeta, ScoresReader, ScoresWriter};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("scores.parquet");
/// let chosen = ScoredResponse {
///     ids: vec![5], oracle_logps: vec![-1.0], reference_logps: vec![-1.5], scores: vec![0.5],
///     ..ScoredResponse::default()
/// };
/// let pair = ScoredPair { row: 3, prompt_ids: vec![1, 2], chosen, ..ScoredPair::default() };
/// let mut writer = ScoresWriter::create(&path, ScoresMeta::default())?;
/// writer.write(&pair)?;
/// writer.finish()?;
///
/// let pairs = ScoresReader::open(&path)?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(pairs, [pair]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type ScoresReader = ArtifactReader<ScoredPair>;

/// The columns of one side.
#[derive(Debug, Clone, Copy)]
pub(super) struct SideColumns {
    pub(super) ids: Column,
    pub(super) oracle_logps: Column,
    pub(super) reference_logps: Column,
    pub(super) scores: Column,
    pub(super) spans: Column,
    pub(super) truncated: Column,
}

pub(super) const PROMPT_IDS: Column = Column::new("prompt_ids", ColumnKind::UInt32List);
pub(super) const CHOSEN: SideColumns = SideColumns {
    ids: Column::new("chosen_ids", ColumnKind::UInt32List),
    oracle_logps: Column::noisy("chosen_oracle_logps"),
    reference_logps: Column::noisy("chosen_reference_logps"),
    scores: Column::noisy("chosen_scores"),
    spans: Column::new("chosen_spans", ColumnKind::SpanList),
    truncated: Column::new("chosen_truncated", ColumnKind::Boolean),
};
pub(super) const REJECTED: SideColumns = SideColumns {
    ids: Column::new("rejected_ids", ColumnKind::UInt32List),
    oracle_logps: Column::noisy("rejected_oracle_logps"),
    reference_logps: Column::noisy("rejected_reference_logps"),
    scores: Column::noisy("rejected_scores"),
    spans: Column::new("rejected_spans", ColumnKind::SpanList),
    truncated: Column::new("rejected_truncated", ColumnKind::Boolean),
};

pub(super) const fn side_columns(side: Side) -> SideColumns {
    match side {
        Side::Chosen => CHOSEN,
        Side::Rejected => REJECTED,
    }
}

impl ArtifactRow for ScoredPair {
    type Meta = ScoresMeta;

    const COLUMNS: &'static [Column] = &[
        ROW,
        PROMPT_IDS,
        CHOSEN.ids,
        REJECTED.ids,
        CHOSEN.oracle_logps,
        CHOSEN.reference_logps,
        CHOSEN.scores,
        CHOSEN.spans,
        CHOSEN.truncated,
        REJECTED.oracle_logps,
        REJECTED.reference_logps,
        REJECTED.scores,
        REJECTED.spans,
        REJECTED.truncated,
    ];

    fn values(&self) -> Vec<Value<'_>> {
        let mut values = vec![
            Value::UInt64(self.row),
            Value::UInt32List(&self.prompt_ids),
            Value::UInt32List(&self.chosen.ids),
            Value::UInt32List(&self.rejected.ids),
        ];
        for response in [&self.chosen, &self.rejected] {
            values.extend([
                Value::Float32List(&response.oracle_logps),
                Value::Float32List(&response.reference_logps),
                Value::Float32List(&response.scores),
                Value::SpanList(response.spans.as_deref()),
                Value::Boolean(response.truncated),
            ]);
        }
        values
    }

    fn decode(view: &RowView<'_>) -> Result<Self, ArtifactError> {
        let response = |columns: SideColumns| {
            Ok(ScoredResponse {
                ids: view.list::<UInt32Type>(columns.ids)?,
                oracle_logps: view.list::<Float32Type>(columns.oracle_logps)?,
                reference_logps: view.list::<Float32Type>(columns.reference_logps)?,
                scores: view.list::<Float32Type>(columns.scores)?,
                spans: view.spans(columns.spans)?,
                truncated: view.boolean(columns.truncated)?,
            })
        };
        Ok(Self {
            row: view.u64(ROW)?,
            prompt_ids: view.list::<UInt32Type>(PROMPT_IDS)?,
            chosen: response(CHOSEN)?,
            rejected: response(REJECTED)?,
        })
    }

    /// Every list of a side is as long as its ids.
    fn check(&self, place: Place<'_>) -> Result<(), ArtifactError> {
        for (response, columns) in [(&self.chosen, CHOSEN), (&self.rejected, REJECTED)] {
            let n = response.ids.len();
            place.check_len(columns.oracle_logps, response.oracle_logps.len(), n)?;
            place.check_len(columns.reference_logps, response.reference_logps.len(), n)?;
            place.check_len(columns.scores, response.scores.len(), n)?;
            place.check_len(columns.spans, response.spans.as_ref().map_or(n, Vec::len), n)?;
        }
        Ok(())
    }

    fn clear_counts(meta: &mut ScoresMeta) {
        meta.n_pairs = 0;
        meta.n_prompt_tokens = 0;
        meta.n_chosen_tokens = 0;
        meta.n_rejected_tokens = 0;
        meta.n_truncated = 0;
    }

    fn count(&self, meta: &mut ScoresMeta) {
        meta.n_pairs += 1;
        meta.n_prompt_tokens += self.prompt_ids.len() as u64;
        meta.n_chosen_tokens += self.chosen.ids.len() as u64;
        meta.n_rejected_tokens += self.rejected.ids.len() as u64;
        meta.n_truncated += [&self.chosen, &self.rejected].into_iter().filter(|r| r.truncated).count() as u64;
    }
}
