//! `scores.parquet`, written.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{Float32Type, UInt32Type};
use arrow::error::ArrowError;

use super::buffer::{ListBuffer, SpanBuffer, is_row_group};
use super::column::Column;
use super::scores::{PROMPT_IDS, SideColumns, columns, side_columns};
use super::table::TableWriter;
use super::{ArtifactError, ScoredPair, ScoredResponse, ScoresMeta};
use crate::Side;

/// A `scores.parquet` under construction. It appears under its name with [`finish`](Self::finish); dropped before, it
/// leaves nothing. The counts in the metadata (pairs, tokens, truncated responses) are kept by the writer.
#[derive(Debug)]
pub struct ScoresWriter {
    table: TableWriter,
    meta: ScoresMeta,
    rows: Vec<u64>,
    prompt_ids: ListBuffer<UInt32Type>,
    sides: [SideBuffer; 2],
    n_tokens: usize,
}

#[derive(Debug, Default)]
struct SideBuffer {
    ids: ListBuffer<UInt32Type>,
    oracle_logps: ListBuffer<Float32Type>,
    reference_logps: ListBuffer<Float32Type>,
    scores: ListBuffer<Float32Type>,
    spans: SpanBuffer,
    truncated: Vec<bool>,
}

impl ScoresWriter {
    /// An empty file with the given metadata, whose counts are set to 0.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Write`]: the file cannot be created; its folder must exist.
    pub fn create(path: impl AsRef<Path>, meta: ScoresMeta) -> Result<Self, ArtifactError> {
        let noisy =
            Side::BOTH.map(side_columns).map(|s| [s.oracle_logps, s.reference_logps, s.scores]).concat();
        let table = TableWriter::create(path.as_ref(), &columns(), &noisy)?;
        let meta = ScoresMeta {
            n_pairs: 0,
            n_prompt_tokens: 0,
            n_chosen_tokens: 0,
            n_rejected_tokens: 0,
            n_truncated: 0,
            ..meta
        };
        let (rows, prompt_ids, sides) = Default::default();
        Ok(Self { table, meta, rows, prompt_ids, sides, n_tokens: 0 })
    }

    /// The metadata as it will be written; what becomes known on the way can be set until the file is finished.
    pub fn meta_mut(&mut self) -> &mut ScoresMeta {
        &mut self.meta
    }

    /// Adds one pair.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Length`]: a list is not as long as its side's ids. Nothing is added.
    /// * [`ArtifactError::TooLong`], [`ArtifactError::Encode`]: the file cannot go on.
    pub fn write(&mut self, pair: &ScoredPair) -> Result<(), ArtifactError> {
        let responses = [&pair.chosen, &pair.rejected];
        for (response, side) in responses.into_iter().zip(Side::BOTH) {
            self.check(response, side_columns(side))?;
        }
        self.rows.push(pair.row);
        self.prompt_ids.push(&pair.prompt_ids).ok_or_else(|| self.too_long(PROMPT_IDS))?;
        for ((response, buffer), side) in responses.into_iter().zip(&mut self.sides).zip(Side::BOTH) {
            if buffer.push(response).is_none() {
                return Err(self.too_long(side_columns(side).ids));
            }
        }
        let lengths = [&pair.prompt_ids, &pair.chosen.ids, &pair.rejected.ids].map(Vec::len);
        self.n_tokens += lengths.iter().sum::<usize>();
        self.meta.n_pairs += 1;
        self.meta.n_prompt_tokens += lengths[0] as u64;
        self.meta.n_chosen_tokens += lengths[1] as u64;
        self.meta.n_rejected_tokens += lengths[2] as u64;
        self.meta.n_truncated += responses.iter().filter(|r| r.truncated).count() as u64;
        if is_row_group(self.rows.len(), self.n_tokens) {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes what is left and puts the file under its final name.
    ///
    /// # Errors
    ///
    /// * [`ArtifactError::Encode`], [`ArtifactError::Meta`], [`ArtifactError::Write`]: nothing is left under the
    ///   final name that was not there before.
    pub fn finish(mut self) -> Result<ScoresMeta, ArtifactError> {
        self.write_group()?;
        self.table.finish(&self.meta)?;
        Ok(self.meta)
    }

    fn write_group(&mut self) -> Result<(), ArtifactError> {
        self.n_tokens = 0;
        let columns = self.take_columns();
        self.table.write_group(columns)
    }

    fn take_columns(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let [chosen, rejected] = &mut self.sides;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(std::mem::take(&mut self.rows))),
            self.prompt_ids.take()?,
            chosen.ids.take()?,
            rejected.ids.take()?,
        ];
        for side in [chosen, rejected] {
            columns.extend([
                side.oracle_logps.take()?,
                side.reference_logps.take()?,
                side.scores.take()?,
                side.spans.take()?,
            ]);
            columns.push(Arc::new(BooleanArray::from(std::mem::take(&mut side.truncated))));
        }
        Ok(columns)
    }

    fn check(&self, response: &ScoredResponse, columns: SideColumns) -> Result<(), ArtifactError> {
        let expected = response.ids.len();
        let lengths = [
            (columns.oracle_logps, response.oracle_logps.len()),
            (columns.reference_logps, response.reference_logps.len()),
            (columns.scores, response.scores.len()),
            (columns.spans, response.spans.as_ref().map_or(expected, Vec::len)),
        ];
        let Some((column, found)) = lengths.into_iter().find(|&(_, found)| found != expected) else {
            return Ok(());
        };
        let path = self.table.path().to_path_buf();
        Err(ArtifactError::Length { path, row: self.meta.n_pairs, column: column.name, found, expected })
    }

    fn too_long(&self, column: Column) -> ArtifactError {
        let path = self.table.path().to_path_buf();
        ArtifactError::TooLong { path, row: self.meta.n_pairs, column: column.name }
    }
}

impl SideBuffer {
    fn push(&mut self, response: &ScoredResponse) -> Option<()> {
        self.ids.push(&response.ids)?;
        self.oracle_logps.push(&response.oracle_logps)?;
        self.reference_logps.push(&response.reference_logps)?;
        self.scores.push(&response.scores)?;
        self.spans.push(response.spans.as_deref())?;
        self.truncated.push(response.truncated);
        Some(())
    }
}
