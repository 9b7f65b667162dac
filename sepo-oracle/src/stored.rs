//! The reference's log-probs, computed once and kept beside the run.

use std::path::Path;

use sepo_data::{ArtifactError, ContentSource, LogpsMeta, LogpsReader, LogpsWriter, PairLogps};
use sepo_model::Model;
use sepo_train::{Examples, ReferenceLogps, TrainError, TrainExample, reference_logps_of_each};

use crate::OracleError;

/// Name of the file in a run's folder.
pub const REFERENCE_LOGPS_FILE: &str = "reference_logps.parquet";

/// Whether the log-probs were found or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Read from the file, which was made from the same weights and ids.
    Stored,
    /// Computed now, and written to the file.
    Computed,
}

/// Fills [`TrainExample::reference`] of every example with `model`'s log-probs, from the file at `path` where it was made
/// from the same weights and ids, else by running the model and writing the file.
///
/// A file that is damaged or belongs to other weights or ids is replaced.
///
/// # Errors
///
/// * [`OracleError::Train`] where the model cannot run on an example.
/// * [`OracleError::Artifact`] where the file cannot be written.
pub fn stored_reference_logps(
    model: &Model,
    examples: &mut [TrainExample],
    path: &Path,
    tokens_per_batch: usize,
) -> Result<Origin, OracleError> {
    let mut found = Vec::with_capacity(examples.len());
    let origin = stored_reference_logps_of_each(model, &*examples, path, tokens_per_batch, |example| {
        found.push(example.reference);
        Ok(())
    })?;
    for (example, reference) in examples.iter_mut().zip(found) {
        example.reference = reference;
    }
    Ok(origin)
}

/// Hands each example to `take`, in order, with `model`'s log-probs as its reference; they are found or made as by
/// [`stored_reference_logps`]. No more than the examples of one forward pass are in memory.
///
/// # Errors
///
/// * Those of [`stored_reference_logps`].
/// * [`OracleError::Train`] where an example on disk cannot be read, or `take` fails, which ends the pass.
pub fn stored_reference_logps_of_each<'a>(
    model: &Model,
    examples: impl Into<Examples<'a>>,
    path: &Path,
    tokens_per_batch: usize,
    mut take: impl FnMut(TrainExample) -> Result<(), TrainError>,
) -> Result<Origin, OracleError> {
    let examples = examples.into();
    let failed = |source| OracleError::Train { stage: "reference", source };
    let source = |name: &str, content_hash| ContentSource { path: name.to_owned(), content_hash };
    let meta = LogpsMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: source("reference", model.parameters.content_hash()),
        inputs: vec![source("token ids", ids_hash(examples).map_err(failed)?)],
        dtype: "f32".to_owned(),
        device: "cpu".to_owned(),
        ..LogpsMeta::default()
    };
    if is_whole(path, &meta, examples) {
        for (example, stored) in examples.iter().zip(LogpsReader::open(path)?) {
            let PairLogps { chosen_logps, rejected_logps, .. } = stored?;
            let reference = ReferenceLogps { chosen: chosen_logps, rejected: rejected_logps };
            let example = example.map_err(failed)?;
            take(with_reference(&example, reference)).map_err(failed)?;
        }
        return Ok(Origin::Stored);
    }
    let mut writer = LogpsWriter::create(path, meta)?;
    reference_logps_of_each(model, examples, tokens_per_batch, |example, reference| {
        let ReferenceLogps { chosen, rejected } = reference.clone();
        writer.write(&PairLogps { row: example.row, chosen_logps: chosen, rejected_logps: rejected })?;
        take(with_reference(example, reference))?;
        Ok::<(), PassError>(())
    })?;
    writer.finish()?;
    Ok(Origin::Computed)
}

/// What can end a pass of the reference.
enum PassError {
    Train(TrainError),
    Artifact(ArtifactError),
}

impl From<TrainError> for PassError {
    fn from(error: TrainError) -> Self {
        Self::Train(error)
    }
}

impl From<ArtifactError> for PassError {
    fn from(error: ArtifactError) -> Self {
        Self::Artifact(error)
    }
}

impl From<PassError> for OracleError {
    fn from(error: PassError) -> Self {
        match error {
            PassError::Train(source) => Self::Train { stage: "reference", source },
            PassError::Artifact(error) => Self::Artifact(error),
        }
    }
}

fn with_reference(example: &TrainExample, reference: ReferenceLogps) -> TrainExample {
    TrainExample { reference: Some(reference), ..example.clone() }
}

/// Whether the file holds the log-probs of these examples under this model, undamaged to its last value.
fn is_whole(path: &Path, meta: &LogpsMeta, examples: Examples<'_>) -> bool {
    let Ok(reader) = LogpsReader::open(path) else { return false };
    let same = reader.meta().model == meta.model && reader.meta().inputs == meta.inputs;
    if !same || reader.n_rows() != examples.len() as u64 {
        return false;
    }
    // With the last row the reader compares the checksum of all values.
    examples.iter().zip(reader).all(|(example, stored)| {
        let (Ok(example), Ok(PairLogps { row, chosen_logps, rejected_logps })) = (example, stored) else {
            return false;
        };
        row == example.row
            && chosen_logps.len() == example.chosen_ids.len()
            && rejected_logps.len() == example.rejected_ids.len()
    })
}

/// blake3 over rows and ids.
fn ids_hash(examples: Examples<'_>) -> Result<String, TrainError> {
    let mut hasher = blake3::Hasher::new();
    for example in examples.iter() {
        let example = example?;
        hasher.update(&example.row.to_le_bytes());
        for ids in [&example.prompt_ids, &example.chosen_ids, &example.rejected_ids] {
            hasher.update(&(ids.len() as u64).to_le_bytes());
            hasher.update(bytemuck::cast_slice(ids));
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}
