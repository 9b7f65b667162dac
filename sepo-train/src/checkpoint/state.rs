//! `state.json`: all of a run that is not a tensor.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Damage, STATE_FILE, STATE_HASH_FILE};
use crate::fingerprint::Fingerprint;
use crate::guard::Guards;
use crate::{Best, Cursor, Progress};

/// Version of the folder's format. In the first, `state.json` had no hash beside it, and no guards in it.
pub(super) const FORMAT: u32 = 2;

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
    /// The best evaluation until now, where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) best: Option<Best>,
    #[serde(default)]
    pub(crate) guards: Guards,
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
            best: None,
            guards: Guards::default(),
            fingerprint,
            model_hash: String::new(),
            optimizer_hash: String::new(),
        }
    }

    pub(super) fn read(folder: &Path) -> Result<Self, Damage> {
        let text = std::fs::read(folder.join(STATE_FILE))
            .map_err(|source| Damage::Unreadable { file: STATE_FILE, source })?;
        let FormatOnly { format: found } = serde_json::from_slice(&text).map_err(Damage::State)?;
        match found {
            1 => {}
            FORMAT => verify_text(&text, folder)?,
            _ => return Err(Damage::Format { found, expected: FORMAT }),
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

/// Nothing, where the text of `state.json` is the one whose hash was written.
fn verify_text(text: &[u8], folder: &Path) -> Result<(), Damage> {
    let file = STATE_HASH_FILE;
    let expected = std::fs::read_to_string(folder.join(file));
    let expected = expected.map_err(|source| Damage::Unreadable { file, source })?;
    let found = hash_line(text);
    if found == expected {
        return Ok(());
    }
    let [expected, found] =
        [expected, found].map(|line| line.split(' ').next().unwrap_or_default().to_owned());
    Err(Damage::Hash { file: STATE_FILE, expected, found })
}

/// blake3 of the text of `state.json`, as a line that `b3sum --check` reads.
pub(super) fn hash_line(text: &[u8]) -> String {
    format!("{}  {STATE_FILE}\n", blake3::hash(text).to_hex())
}

/// blake3 of a file in hexadecimal, read piece by piece.
pub(super) fn hash_file(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
