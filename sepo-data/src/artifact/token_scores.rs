//! What a rule looks at in a `scores.parquet`, without the rest.

use arrow::datatypes::{Float32Type, UInt32Type};

use super::column::{Column, ROW};
use super::row::{ArtifactRow, Value};
use super::scores::{CHOSEN, REJECTED, SideColumns};
use super::view::{Place, RowView};
use super::{ArtifactError, ArtifactReader, ScoresMeta};

/// The scores of one response.
///
/// # Which token an index names
///
/// `scores[i]` belongs to `ids[i]` as the *predicted* token.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResponseScores {
    /// Ids of the response tokens.
    pub ids: Vec<u32>,
    /// One score a token.
    pub scores: Vec<f32>,
    /// Whether tokens were cut off its end.
    pub truncated: bool,
}

/// A part of a row of `scores.parquet`: enough to select from, about a quarter of what is stored.
///
/// The file's checksum is one of all values, so it is not compared: whoever goes on to read the whole rows has it
/// compared then.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenScores {
    /// Row in the source.
    pub row: u64,
    /// The preferred response.
    pub chosen: ResponseScores,
    /// The dispreferred response.
    pub rejected: ResponseScores,
}

/// The rows of a `scores.parquet`, of which only these columns are read.
///
/// # Examples
///
/// ```
/// use sepo_data::{ScoredPair, ScoredResponse, ScoresMeta, ScoresWriter, TokenScoresReader};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("scores.parquet");
/// let chosen = ScoredResponse {
///     ids: vec![5], oracle_logps: vec![-1.0], reference_logps: vec![-1.5], scores: vec![0.5],
///     ..ScoredResponse::default()
/// };
/// let mut writer = ScoresWriter::create(&path, ScoresMeta::default())?;
/// writer.write(&ScoredPair { row: 3, chosen, ..ScoredPair::default() })?;
/// writer.finish()?;
///
/// let pairs = TokenScoresReader::open(&path)?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!((pairs[0].row, &pairs[0].chosen.scores[..]), (3, &[0.5][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type TokenScoresReader = ArtifactReader<TokenScores>;

impl ArtifactRow for TokenScores {
    type Meta = ScoresMeta;

    const COLUMNS: &'static [Column] = &[
        ROW,
        CHOSEN.ids,
        REJECTED.ids,
        CHOSEN.scores,
        CHOSEN.truncated,
        REJECTED.scores,
        REJECTED.truncated,
    ];

    const HOLDS_ALL: bool = false;

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            Value::UInt64(self.row),
            Value::UInt32List(&self.chosen.ids),
            Value::UInt32List(&self.rejected.ids),
            Value::Float32List(&self.chosen.scores),
            Value::Boolean(self.chosen.truncated),
            Value::Float32List(&self.rejected.scores),
            Value::Boolean(self.rejected.truncated),
        ]
    }

    fn decode(view: &RowView<'_>) -> Result<Self, ArtifactError> {
        let response = |columns: SideColumns| {
            Ok(ResponseScores {
                ids: view.list::<UInt32Type>(columns.ids)?,
                scores: view.list::<Float32Type>(columns.scores)?,
                truncated: view.boolean(columns.truncated)?,
            })
        };
        Ok(Self { row: view.u64(ROW)?, chosen: response(CHOSEN)?, rejected: response(REJECTED)? })
    }

    fn check(&self, place: Place<'_>) -> Result<(), ArtifactError> {
        for (response, columns) in [(&self.chosen, CHOSEN), (&self.rejected, REJECTED)] {
            place.check_len(columns.scores, response.scores.len(), response.ids.len())?;
        }
        Ok(())
    }

    /// No file is written from these rows, so there is nothing to count.
    fn clear_counts(_: &mut ScoresMeta) {}

    fn count(&self, _: &mut ScoresMeta) {}
}
