//! The reference's log-probs, computed once and kept beside the run.

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use sepo_data::{ContentSource, LogpsMeta, LogpsReader, LogpsWriter, PairLogps};
use sepo_model::{Backend, Cpu, Model};
use sepo_train::{Examples, ReferenceLogps, TrainError, TrainExample};

use crate::{OracleError, ReferencePass};

/// Name of the file in a run's folder.
pub const REFERENCE_LOGPS_FILE: &str = "reference_logps.parquet";

/// Whether the log-probs were found or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Read from the file, which was made from the same weights and ids.
    Stored,
    /// Computed now, and written to the file.
    Computed,
    /// Computed in part; the same call goes on from there.
    Interrupted,
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
    stored_reference_logps_on(&Cpu, model, examples, path, tokens_per_batch)
}

/// As [`stored_reference_logps`], on any backend.
///
/// # Errors
///
/// Those of [`stored_reference_logps`].
pub fn stored_reference_logps_on<B: Backend>(
    on: &B,
    model: &Model,
    examples: &mut [TrainExample],
    path: &Path,
    tokens_per_batch: usize,
) -> Result<Origin, OracleError> {
    let mut found = Vec::with_capacity(examples.len());
    let pass = ReferencePass {
        on,
        path,
        tokens_per_batch,
        tokens_per_shard: ReferencePass::TOKENS_PER_SHARD,
        interrupt: &AtomicBool::new(false),
    };
    let origin = stored_reference_logps_of_each(model, &*examples, pass, |example| {
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
/// While they are made they lie in shards beside the file, so that a pass that was interrupted or killed goes on behind its
/// last shard, and the file holds the same bytes in the end. `take` is called when all are made; where the pass was
/// interrupted, it is not.
///
/// # Errors
///
/// * Those of [`stored_reference_logps`].
/// * [`OracleError::Shards`] where the shards cannot be read or written.
/// * [`OracleError::Train`] where an example on disk cannot be read, or `take` fails.
pub fn stored_reference_logps_of_each<'a, B: Backend>(
    model: &Model,
    examples: impl Into<Examples<'a>>,
    pass: ReferencePass<'_, B>,
    mut take: impl FnMut(TrainExample) -> Result<(), TrainError>,
) -> Result<Origin, OracleError> {
    let examples = examples.into();
    let failed = |source| OracleError::Train { stage: "reference", source };
    let source = |name: &str, content_hash| ContentSource { path: name.to_owned(), content_hash };
    let meta = LogpsMeta {
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: source("reference", model.parameters.content_hash()),
        inputs: vec![source("token ids", ids_hash(examples).map_err(failed)?)],
        dtype: B::DTYPE.unwrap_or_default().name().to_owned(),
        device: B::NAME.to_owned(),
        ..LogpsMeta::default()
    };
    let mut hand_on = |example: Result<Cow<'_, TrainExample>, TrainError>, logps: PairLogps| {
        let reference = ReferenceLogps { chosen: logps.chosen_logps, rejected: logps.rejected_logps };
        let example = TrainExample { reference: Some(reference), ..example.map_err(failed)?.into_owned() };
        take(example).map_err(failed)
    };
    if is_whole(pass.path, &meta, examples) {
        for (example, stored) in examples.iter().zip(LogpsReader::open(pass.path)?) {
            hand_on(example, stored?)?;
        }
        pass.remove_parts(&meta)?;
        return Ok(Origin::Stored);
    }
    let Some(shards) = pass.complete(model, examples, &meta)? else { return Ok(Origin::Interrupted) };
    let mut writer = LogpsWriter::create(pass.path, meta)?;
    for (example, logps) in examples.iter().zip(shards.rows()) {
        let logps = logps?;
        writer.write(&logps)?;
        hand_on(example, logps)?;
    }
    writer.finish()?;
    shards.remove()?;
    Ok(Origin::Computed)
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
