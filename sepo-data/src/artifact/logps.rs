//! `logps.parquet`: log-probabilities of response tokens under one model, such as a frozen reference.

use arrow::datatypes::Float32Type;

use super::column::{Column, ROW};
use super::row::{ArtifactRow, Value};
use super::view::RowView;
use super::{ArtifactError, ArtifactReader, ArtifactWriter, LogpsMeta};

/// One row of `logps.parquet`.
///
/// # Which token an index names
///
/// `chosen_logps[i]` is the log-probability of the pair's chosen response token `i`, the first included. The ids are
/// not repeated here: `row` names the pair, and its owner compares the lengths.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PairLogps {
    /// Row in the source.
    pub row: u64,
    /// One natural log-probability a chosen token.
    pub chosen_logps: Vec<f32>,
    /// One natural log-probability a rejected token.
    pub rejected_logps: Vec<f32>,
}

/// A `logps.parquet` under construction; `n_pairs` in the metadata is kept by the writer.
pub type LogpsWriter = ArtifactWriter<PairLogps>;

/// The rows of a `logps.parquet`.
///
/// # Examples
///
/// ```
/// use sepo_data::{LogpsMeta, LogpsReader, LogpsWriter, PairLogps};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("logps.parquet");
/// let pair = PairLogps { row: 3, chosen_logps: vec![-0.5, -1.0], rejected_logps: vec![-2.0] };
/// let mut writer = LogpsWriter::create(&path, LogpsMeta::default())?;
/// writer.write(&pair)?;
/// writer.finish()?;
/// assert_eq!(LogpsReader::open(&path)?.collect::<Result<Vec<_>, _>>()?, [pair]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type LogpsReader = ArtifactReader<PairLogps>;

const CHOSEN_LOGPS: Column = Column::noisy("chosen_logps");
const REJECTED_LOGPS: Column = Column::noisy("rejected_logps");

impl ArtifactRow for PairLogps {
    type Meta = LogpsMeta;

    const COLUMNS: &'static [Column] = &[ROW, CHOSEN_LOGPS, REJECTED_LOGPS];

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            Value::UInt64(self.row),
            Value::Float32List(&self.chosen_logps),
            Value::Float32List(&self.rejected_logps),
        ]
    }

    fn decode(view: &RowView<'_>) -> Result<Self, ArtifactError> {
        Ok(Self {
            row: view.u64(ROW)?,
            chosen_logps: view.list::<Float32Type>(CHOSEN_LOGPS)?,
            rejected_logps: view.list::<Float32Type>(REJECTED_LOGPS)?,
        })
    }

    fn clear_counts(meta: &mut LogpsMeta) {
        meta.n_pairs = 0;
    }

    fn count(&self, meta: &mut LogpsMeta) {
        meta.n_pairs += 1;
    }
}
