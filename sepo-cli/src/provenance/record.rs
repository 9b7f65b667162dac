//! What a record says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Accepted, Content};
use crate::machine;

/// Layout of the records that this version writes.
const FORMAT: u32 = 1;

/// What an artifact or a model folder was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: u32,
    /// The subcommand that made it.
    pub(crate) stage: String,
    /// Which of the stage's results it is, where there are several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) part: Option<String>,
    pub(crate) program_version: String,
    /// `cpu`, or a GPU.
    pub(crate) device: String,
    /// Of the CPU, what decides the order of sums: see [`sepo_kernels::instruction_set`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) instructions: Option<String>,
    /// Decides every draw; nothing where nothing was drawn.
    pub(crate) seed: Option<u64>,
    /// Every setting that the stage knows, resolved.
    pub(crate) settings: Value,
    pub(crate) inputs: Vec<Input>,
    /// Inputs that were used although they are not what was recorded.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) accepted: Vec<Accepted>,
    /// How much of everything there was.
    #[serde(default)]
    pub(crate) counts: BTreeMap<String, u64>,
    /// The files that were written, where they do not hold this record themselves.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) outputs: Vec<Content>,
    /// The records of everything that it was made from, at any distance, by their hash. Theirs have none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) upstream: BTreeMap<String, Record>,
}

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InputKind {
    /// A model folder.
    Model,
    /// A folder with a tokenizer, of which nothing else counts.
    Tokenizer,
    /// One file.
    File,
    /// Files of pairs, in reading order: files, folders and patterns.
    Data,
}

/// Something that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// What it was to the stage: the flag's name.
    pub(crate) role: String,
    pub(crate) kind: InputKind,
    /// As it was typed, without credentials.
    pub(crate) given: Vec<String>,
    /// The same from the artifact's folder; empty where there is no way.
    pub(crate) path: Vec<String>,
    pub(crate) files: Vec<Content>,
    /// Hash of its own record, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) record: Option<String>,
    /// Of several files, the hashes of the records of those that have one, by the file's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub(crate) records: BTreeMap<String, String>,
}

impl Record {
    /// A record without inputs.
    pub(crate) fn new(stage: &str, seed: Option<u64>, settings: Value) -> Self {
        Self {
            format: FORMAT,
            stage: stage.to_owned(),
            part: None,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            device: machine::device().to_owned(),
            instructions: Some(sepo_kernels::instruction_set().to_owned()),
            seed,
            settings,
            inputs: Vec::new(),
            accepted: Vec::new(),
            counts: BTreeMap::new(),
            outputs: Vec::new(),
            upstream: BTreeMap::new(),
        }
    }

    /// The input of that role.
    pub(crate) fn input(&self, role: &str) -> Option<&Input> {
        self.inputs.iter().find(|input| input.role == role)
    }

    /// The record without those upstream of it.
    pub(super) fn alone(&self) -> Self {
        Self { upstream: BTreeMap::new(), ..self.clone() }
    }

    /// blake3 over the JSON of the record without those upstream of it: their hashes are part of it.
    pub(crate) fn hash(&self) -> String {
        // Strings, numbers and lists of them: this cannot fail.
        let text = serde_json::to_vec(&self.alone()).unwrap_or_default();
        blake3::hash(&text).to_hex().to_string()
    }
}
