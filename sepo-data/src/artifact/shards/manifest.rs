//! `manifest.json`: whose shards these are, and what each holds.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::AtomicFile;
use super::ShardError;
use crate::TokenizeReport;

/// What this version writes and reads.
const LAYOUT: u64 = 1;

/// A shard that was finished.
///
/// Places count the *source pairs* of the run, in its order: what its input yields before anything is tokenized.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The first source pair.
    pub start: u64,
    /// The source pair behind the last.
    pub end: u64,
    /// BLAKE3 of the file's bytes.
    pub content_hash: String,
    /// What became of the source pairs.
    pub tokenized: TokenizeReport,
}

impl Shard {
    /// Its source pairs.
    #[must_use]
    pub fn places(&self) -> Range<u64> {
        self.start..self.end
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    layout: u64,
    pub(super) identity: Map<String, Value>,
    /// In the order of the source, without a gap.
    pub(super) shards: Vec<Shard>,
}

impl Manifest {
    pub(super) fn new(identity: Map<String, Value>) -> Self {
        Self { layout: LAYOUT, identity, shards: Vec::new() }
    }

    /// The manifest of a folder, `None` where there is none.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, ShardError> {
        let path = path(dir);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ShardError::Access { path, source }),
        };
        let manifest: Self = serde_json::from_slice(&text)
            .map_err(|source| ShardError::Manifest { path: path.clone(), source })?;
        if manifest.layout != LAYOUT {
            return Err(ShardError::Layout { path, found: manifest.layout, expected: LAYOUT });
        }
        let mut expected = 0;
        for (index, shard) in manifest.shards.iter().enumerate() {
            let Range { start, end } = shard.places();
            if start != expected || end <= start {
                return Err(ShardError::Places { dir: dir.to_path_buf(), index, start, end, expected });
            }
            expected = end;
        }
        Ok(Some(manifest))
    }

    /// Puts it into the folder, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), ShardError> {
        let path = path(dir);
        let text =
            serde_json::to_vec(self).map_err(|source| ShardError::Manifest { path: path.clone(), source })?;
        let write = || {
            let mut file = AtomicFile::create(&path)?;
            file.write_all(&text)?;
            file.commit()
        };
        write().map_err(|source| ShardError::Access { path: path.clone(), source })
    }

    /// What is another in `identity`, in words; empty where it is the same.
    pub(super) fn differences(&self, identity: &Map<String, Value>) -> Vec<String> {
        let absent = || "absent".to_owned();
        let text = |value: Option<&Value>| value.map_or_else(absent, Value::to_string);
        let gone = self.identity.keys().filter(|key| !identity.contains_key(*key));
        let keys = identity.keys().chain(gone);
        let differ = keys.filter(|key| self.identity.get(*key) != identity.get(*key));
        differ
            .map(|key| {
                format!("`{key}` was {}, is {}", text(self.identity.get(key)), text(identity.get(key)))
            })
            .collect()
    }
}

/// Where a folder's manifest lies.
fn path(dir: &Path) -> PathBuf {
    dir.join("manifest.json")
}
