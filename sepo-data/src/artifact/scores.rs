//! `scores.parquet`, read: for every response token what oracle and reference say about it.

use std::path::Path;

use arrow::datatypes::{Float32Type, UInt32Type};

use super::column::{Column, ColumnKind, RowView};
use super::table::TableReader;
use super::{ArtifactError, ScoresMeta};
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

pub(super) const ROW: Column = Column::new("row", ColumnKind::UInt64);
pub(super) const PROMPT_IDS: Column = Column::new("prompt_ids", ColumnKind::UInt32List);
const CHOSEN: SideColumns = SideColumns {
    ids: Column::new("chosen_ids", ColumnKind::UInt32List),
    oracle_logps: Column::new("chosen_oracle_logps", ColumnKind::Float32List),
    reference_logps: Column::new("chosen_reference_logps", ColumnKind::Float32List),
    scores: Column::new("chosen_scores", ColumnKind::Float32List),
    spans: Column::new("chosen_spans", ColumnKind::SpanList),
    truncated: Column::new("chosen_truncated", ColumnKind::Boolean),
};
const REJECTED: SideColumns = SideColumns {
    ids: Column::new("rejected_ids", ColumnKind::UInt32List),
    oracle_logps: Column::new("rejected_oracle_logps", ColumnKind::Float32List),
    reference_logps: Column::new("rejected_reference_logps", ColumnKind::Float32List),
    scores: Column::new("rejected_scores", ColumnKind::Float32List),
    spans: Column::new("rejected_spans", ColumnKind::SpanList),
    truncated: Column::new("rejected_truncated", ColumnKind::Boolean),
};

pub(super) const fn side_columns(side: Side) -> SideColumns {
    match side {
        Side::Chosen => CHOSEN,
        Side::Rejected => REJECTED,
    }
}

/// All columns in the file's order.
pub(super) fn columns() -> Vec<Column> {
    let ids = [ROW, PROMPT_IDS, CHOSEN.ids, REJECTED.ids];
    let rest = [CHOSEN, REJECTED]
        .into_iter()
        .flat_map(|side| [side.oracle_logps, side.reference_logps, side.scores, side.spans, side.truncated]);
    ids.into_iter().chain(rest).collect()
}

/// The rows of a `scores.parquet`, in order, as an iterator. It ends after the first error.
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
pub struct ScoresReader {
    table: TableReader,
    meta: ScoresMeta,
}

impl ScoresReader {
    /// An open file, its schema and metadata checked.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Read`], [`ArtifactError::Parquet`]: not a readable Parquet file.
    /// * [`ArtifactError::MissingColumn`], [`ArtifactError::ColumnType`]: another schema.
    /// * [`ArtifactError::MissingMeta`], [`ArtifactError::Meta`]: no usable `sepo` metadata.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ArtifactError> {
        let (table, meta) = TableReader::open(path.as_ref(), &columns())?;
        Ok(Self { table, meta })
    }

    /// Where the scores came from.
    #[must_use]
    pub fn meta(&self) -> &ScoresMeta {
        &self.meta
    }

    /// Rows in the file.
    #[must_use]
    pub fn n_rows(&self) -> u64 {
        self.table.n_rows()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.table.path()
    }
}

impl Iterator for ScoresReader {
    type Item = Result<ScoredPair, ArtifactError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.table.next_row(|view| {
            Ok(ScoredPair {
                row: view.u64(ROW)?,
                prompt_ids: view.list::<UInt32Type>(PROMPT_IDS)?,
                chosen: response(&view, CHOSEN)?,
                rejected: response(&view, REJECTED)?,
            })
        })
    }
}

fn response(view: &RowView<'_>, columns: SideColumns) -> Result<ScoredResponse, ArtifactError> {
    let ids = view.list::<UInt32Type>(columns.ids)?;
    let n = ids.len();
    Ok(ScoredResponse {
        ids,
        oracle_logps: view.list_of::<Float32Type>(columns.oracle_logps, n)?,
        reference_logps: view.list_of::<Float32Type>(columns.reference_logps, n)?,
        scores: view.list_of::<Float32Type>(columns.scores, n)?,
        spans: view.spans(columns.spans, n)?,
        truncated: view.boolean(columns.truncated)?,
    })
}
