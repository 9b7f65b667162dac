//! What something was made from, what that was made from, and so on, held against what is on the disk.

mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::content::{self, Content};
use super::{Accepted, Input, InputKind, Record, Subject};
use crate::exit::CliError;

/// Whether something is what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Unchanged,
    Changed,
    Missing,
}

/// Something that was made or read.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Node {
    /// What it was to the stage that read it; nothing at the root.
    pub(crate) role: Option<String>,
    pub(crate) kind: InputKind,
    /// Where it lies; where it was typed if it is not there.
    pub(crate) path: String,
    pub(crate) state: State,
    /// What is not as it was recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) differences: Vec<String>,
    /// Its files, as recorded.
    pub(crate) files: Vec<Content>,
    /// One hash for all of them.
    pub(crate) blake3: String,
    /// Of several files, those that it is known of how they were made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parts: Vec<Node>,
    /// How it was made; nothing where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<Made>,
}

/// What a record says, with its inputs as nodes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Made {
    /// The record's hash.
    pub(crate) record: String,
    pub(crate) stage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<String>,
    pub(crate) program_version: String,
    pub(crate) device: String,
    pub(crate) seed: Option<u64>,
    pub(crate) settings: Value,
    pub(crate) counts: super::Counts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accepted: Vec<Accepted>,
    /// Whether its inputs stand further up, and not here again.
    pub(crate) is_above: bool,
    pub(crate) inputs: Vec<Node>,
}

/// The tree of `subject`.
pub(crate) fn lineage(subject: &Subject) -> Result<Node, CliError> {
    let record = &subject.record;
    let differences = unlike_its_record(subject)?;
    let files = if subject.kind == InputKind::Model {
        record.outputs.clone()
    } else {
        vec![Content::at(&subject.path)?]
    };
    let mut tree = Tree { root: record, seen: BTreeSet::new() };
    Ok(Node {
        role: None,
        kind: subject.kind,
        path: subject.path.display().to_string(),
        state: if differences.is_empty() { State::Unchanged } else { State::Changed },
        differences,
        blake3: content::digest(&files),
        files,
        parts: Vec::new(),
        made: Some(tree.made(record.hash(), record, subject.dir())?),
    })
}

/// How the files of `subject` differ from what its record says, in words. Of a file that holds its record itself, what it was
/// is known to those who read it.
pub(crate) fn unlike_its_record(subject: &Subject) -> Result<Vec<String>, CliError> {
    let found = match subject.kind {
        InputKind::Model => content::of_model(&subject.path)?,
        _ if subject.record.outputs.is_empty() => return Ok(Vec::new()),
        _ => vec![Content::at(&subject.path)?],
    };
    let differences = content::differences(&subject.record.outputs, &found);
    Ok(differences.iter().map(ToString::to_string).collect())
}

impl Node {
    /// The worst state of it and of all that it was made from.
    pub(crate) fn worst(&self) -> State {
        let inputs = self.made.iter().flat_map(|made| &made.inputs);
        inputs.chain(&self.parts).map(Self::worst).fold(self.state, Ord::max)
    }
}

/// A tree that is being made.
struct Tree<'a> {
    root: &'a Record,
    /// Records whose inputs stand in the tree already.
    seen: BTreeSet<String>,
}

impl Tree<'_> {
    fn made(&mut self, hash: String, record: &Record, dir: &Path) -> Result<Made, CliError> {
        let is_above = !self.seen.insert(hash.clone());
        let inputs = if is_above { &[] } else { record.inputs.as_slice() };
        let inputs = inputs.iter().map(|input| self.node(input, record, dir)).collect::<Result<_, _>>()?;
        Ok(Made {
            record: hash,
            stage: record.stage.clone(),
            part: record.part.clone(),
            program_version: record.program_version.clone(),
            device: record.device.clone(),
            seed: record.seed,
            settings: record.settings.clone(),
            counts: record.counts.clone(),
            accepted: record.accepted.clone(),
            is_above,
            inputs,
        })
    }

    fn node(&mut self, input: &Input, by: &Record, dir: &Path) -> Result<Node, CliError> {
        let located = input.locate(dir, &by.settings)?;
        let (state, mut differences) = match &located {
            None => (State::Missing, Vec::new()),
            Some(located) => {
                let differences = content::differences(&input.files, &located.files);
                let state = if differences.is_empty() { State::Unchanged } else { State::Changed };
                (state, differences.iter().map(ToString::to_string).collect())
            }
        };
        let parts = input.records.keys().filter_map(|name| input.part(name));
        let parts = parts.map(|part| self.node(&part, by, dir)).collect::<Result<Vec<_>, _>>()?;
        let path = located.map_or_else(|| input.given.clone(), |located| located.paths).join(" ");
        let made = match input.record.as_ref() {
            None => None,
            Some(hash) => match self.root.upstream.get(hash) {
                Some(record) if record.hash() == *hash => {
                    // Also where it is gone: what it was made from may still be there.
                    let beside = PathBuf::from(&path);
                    let dir = match input.kind {
                        InputKind::Model => beside.as_path(),
                        _ => beside.parent().unwrap_or(Path::new("")),
                    };
                    Some(self.made(hash.clone(), record, dir)?)
                }
                _ => {
                    differences.push("the record kept of it is not the one that was read with it".to_owned());
                    None
                }
            },
        };
        let state = if differences.is_empty() { state } else { state.max(State::Changed) };
        Ok(Node {
            role: Some(input.role.clone()),
            kind: input.kind,
            path,
            state,
            differences,
            files: input.files.clone(),
            blake3: content::digest(&input.files),
            parts,
            made,
        })
    }
}
