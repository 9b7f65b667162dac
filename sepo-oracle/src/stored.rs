//! The reference's log-probs, computed once and kept beside the run.

use std::path::Path;

use sepo_data::{ContentSource, LogpsMeta, LogpsReader, LogpsWriter, PairLogps};
use sepo_model::Model;
use sepo_train::{ReferenceLogps, TrainExample, reference_logps};

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
    let source = |name: &str, content_hash| ContentSource { path: name.to_owned(), content_hash };
    let meta = LogpsMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: source("reference", model.parameters.content_hash()),
        inputs: vec![source("token ids", ids_hash(examples))],
        dtype: "f32".to_owned(),
        device: "cpu".to_owned(),
        ..LogpsMeta::default()
    };
    if let Some(stored) = read(path, &meta, examples) {
        for (example, reference) in examples.iter_mut().zip(stored) {
            example.reference = Some(reference);
        }
        return Ok(Origin::Stored);
    }
    reference_logps(model, examples, tokens_per_batch)
        .map_err(|source| OracleError::Train { stage: "reference", source })?;
    let mut writer = LogpsWriter::create(path, meta)?;
    for example in examples.iter() {
        let ReferenceLogps { chosen, rejected } = example.reference.clone().unwrap_or_default();
        writer.write(&PairLogps { row: example.row, chosen_logps: chosen, rejected_logps: rejected })?;
    }
    writer.finish()?;
    Ok(Origin::Computed)
}

/// The stored log-probs, or `None` where they are not these examples' under this model.
fn read(path: &Path, meta: &LogpsMeta, examples: &[TrainExample]) -> Option<Vec<ReferenceLogps>> {
    let reader = LogpsReader::open(path).ok()?;
    let same = reader.meta().model == meta.model && reader.meta().inputs == meta.inputs;
    if !same || reader.n_rows() != examples.len() as u64 {
        return None;
    }
    // With the last row the reader compares the checksum of all values.
    examples
        .iter()
        .zip(reader)
        .map(|(example, stored)| {
            let PairLogps { row, chosen_logps, rejected_logps } = stored.ok()?;
            let fits = row == example.row
                && chosen_logps.len() == example.chosen_ids.len()
                && rejected_logps.len() == example.rejected_ids.len();
            fits.then_some(ReferenceLogps { chosen: chosen_logps, rejected: rejected_logps })
        })
        .collect()
}

/// blake3 over rows and ids.
fn ids_hash(examples: &[TrainExample]) -> String {
    let mut hasher = blake3::Hasher::new();
    for example in examples {
        hasher.update(&example.row.to_le_bytes());
        for ids in [&example.prompt_ids, &example.chosen_ids, &example.rejected_ids] {
            hasher.update(&(ids.len() as u64).to_le_bytes());
            hasher.update(bytemuck::cast_slice(ids));
        }
    }
    hasher.finalize().to_hex().to_string()
}
