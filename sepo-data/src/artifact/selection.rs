//! `selection.parquet`: a weight for every response token.

use arrow::datatypes::{Float32Type, UInt32Type};

use super::column::{Column, ColumnKind, ROW};
use super::row::{ArtifactRow, Value};
use super::scores::{PROMPT_IDS, side_columns};
use super::view::{Place, RowView};
use super::{ArtifactError, ArtifactReader, ArtifactWriter, SelectionMeta};
use crate::Side;

/// One row of `selection.parquet`.
///
/// # Which token an index names
///
/// `chosen_weights[i]` belongs to `chosen_ids[i]` as the *predicted* token. Weight 0 is not selected; any other
/// finite weight is allowed, a negative one included.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SelectedPair {
    /// Row in the source.
    pub row: u64,
    /// Ids before the responses.
    pub prompt_ids: Vec<u32>,
    /// Ids of the preferred response.
    pub chosen_ids: Vec<u32>,
    /// Ids of the dispreferred response.
    pub rejected_ids: Vec<u32>,
    /// One weight a chosen token.
    pub chosen_weights: Vec<f32>,
    /// One weight a rejected token.
    pub rejected_weights: Vec<f32>,
}

/// A `selection.parquet` under construction; `n_kept` and both sides' token counts in the metadata are kept by the
/// writer.
pub type SelectionWriter = ArtifactWriter<SelectedPair>;

/// The rows of a `selection.parquet`.
///
/// # Examples
///
/// ```
/// use sepo_data::{SelectedPair, SelectionMeta, SelectionReader, SelectionWriter};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("selection.parquet");
/// let pair = SelectedPair {
///     row: 3, chosen_ids: vec![5, 6], chosen_weights: vec![0.0, 1.0], ..SelectedPair::default()
/// };
/// let mut writer = SelectionWriter::create(&path, SelectionMeta::default())?;
/// writer.write(&pair)?;
/// writer.finish()?;
///
/// let reader = SelectionReader::open(&path)?;
/// assert_eq!(reader.meta().chosen.n_selected, 1);
/// assert_eq!(reader.collect::<Result<Vec<_>, _>>()?, [pair]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type SelectionReader = ArtifactReader<SelectedPair>;

const CHOSEN_IDS: Column = side_columns(Side::Chosen).ids;
const REJECTED_IDS: Column = side_columns(Side::Rejected).ids;
const CHOSEN_WEIGHTS: Column = Column::new("chosen_weights", ColumnKind::Float32List);
const REJECTED_WEIGHTS: Column = Column::new("rejected_weights", ColumnKind::Float32List);

impl ArtifactRow for SelectedPair {
    type Meta = SelectionMeta;

    const COLUMNS: &'static [Column] =
        &[ROW, PROMPT_IDS, CHOSEN_IDS, REJECTED_IDS, CHOSEN_WEIGHTS, REJECTED_WEIGHTS];

    fn values(&self) -> Vec<Value<'_>> {
        vec![
            Value::UInt64(self.row),
            Value::UInt32List(&self.prompt_ids),
            Value::UInt32List(&self.chosen_ids),
            Value::UInt32List(&self.rejected_ids),
            Value::Float32List(&self.chosen_weights),
            Value::Float32List(&self.rejected_weights),
        ]
    }

    fn decode(view: &RowView<'_>) -> Result<Self, ArtifactError> {
        Ok(Self {
            row: view.u64(ROW)?,
            prompt_ids: view.list::<UInt32Type>(PROMPT_IDS)?,
            chosen_ids: view.list::<UInt32Type>(CHOSEN_IDS)?,
            rejected_ids: view.list::<UInt32Type>(REJECTED_IDS)?,
            chosen_weights: view.list::<Float32Type>(CHOSEN_WEIGHTS)?,
            rejected_weights: view.list::<Float32Type>(REJECTED_WEIGHTS)?,
        })
    }

    /// Weights are finite, and as many as ids.
    fn check(&self, place: Place<'_>) -> Result<(), ArtifactError> {
        let sides = [
            (CHOSEN_WEIGHTS, &self.chosen_ids, &self.chosen_weights),
            (REJECTED_WEIGHTS, &self.rejected_ids, &self.rejected_weights),
        ];
        for (column, ids, weights) in sides {
            place.check_len(column, weights.len(), ids.len())?;
            if let Some(token) = weights.iter().position(|w| !w.is_finite()) {
                let (path, row, weight) = (place.path.to_path_buf(), place.row, weights[token]);
                return Err(ArtifactError::NonFiniteWeight { path, row, column: column.name, token, weight });
            }
        }
        Ok(())
    }

    fn clear_counts(meta: &mut SelectionMeta) {
        meta.n_kept = 0;
        (meta.chosen, meta.rejected) = Default::default();
    }

    fn count(&self, meta: &mut SelectionMeta) {
        meta.n_kept += 1;
        let sides = [(&mut meta.chosen, &self.chosen_weights), (&mut meta.rejected, &self.rejected_weights)];
        for (counts, weights) in sides {
            counts.n_tokens += weights.len() as u64;
            counts.n_selected += weights.iter().filter(|&&w| w != 0.0).count() as u64;
        }
    }
}
