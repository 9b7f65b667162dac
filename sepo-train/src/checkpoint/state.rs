//! `state.json`: all of a run that is not a tensor.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Damage, STATE_FILE};
use crate::fingerprint::Fingerprint;
use crate::{Cursor, Progress};

/// Version of the folder's format.
pub(super) const FORMAT: u32 = 1;

/// What a run must know to go on as if it had never stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) format: u32,
    pub(crate) program_version: String,
    /// Place in the data.
    pub(crate) cursor: Cursor,
    /// Updates of the optimizer; less than the steps where batches were empty.
    pub(crate) adam_step: u64,
    #[serde(flatten)]
    pub(crate) progress: Progress,
    #[serde(flatten)]
    pub(crate) fingerprint: Fingerprint,
    /// blake3 of the tensor files.
    pub(crate) model_hash: String,
    pub(crate) optimizer_hash: String,
}

/// Only the field that tells whether the others can be read.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl State {
    /// The state of a checkpoint whose tensor files are not written yet.
    pub(crate) fn new(fingerprint: Fingerprint, progress: Progress, cursor: Cursor, adam_step: u64) -> Self {
        Self {
            format: FORMAT,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            cursor,
            adam_step,
            progress,
            fingerprint,
            model_hash: String::new(),
            optimizer_hash: String::new(),
        }
    }

    pub(super) fn read(folder: &Path) -> Result<Self, Damage> {
        let text = std::fs::read(folder.join(STATE_FILE))
            .map_err(|source| Damage::Unreadable { file: STATE_FILE, source })?;
        let FormatOnly { format: found } = serde_json::from_slice(&text).map_err(Damage::State)?;
        if found != FORMAT {
            return Err(Damage::Format { found, expected: FORMAT });
        }
        serde_json::from_slice(&text).map_err(Damage::State)
    }

    /// Nothing, where both tensor files are the ones that were written.
    pub(super) fn verify(&self, folder: &Path) -> Result<(), Damage> {
        for (file, expected) in
            [(super::MODEL_FILE, &self.model_hash), (super::OPTIMIZER_FILE, &self.optimizer_hash)]
        {
            let found =
                hash_file(&folder.join(file)).map_err(|source| Damage::Unreadable { file, source })?;
            if found != *expected {
                return Err(Damage::Hash { file, expected: expected.clone(), found });
            }
        }
        Ok(())
    }
}

/// blake3 of a file in hexadecimal, read piece by piece.
pub(super) fn hash_file(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
