//! `stage.json`: what went into a result.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use sepo_data::{AtomicFile, Lock};
use sepo_train::TrainConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::{Hashed, Input, STAGE_FILE};
use super::{Recipe, Stage};
use crate::exit::{CliError, Exit, io_error};
use crate::provenance::Accepted;

/// How far a stage came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Begun,
    Done,
}

/// A stage's fingerprint, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) stage: String,
    pub(super) status: Status,
    pub(super) program_version: String,
    pub(super) inputs: Vec<Hashed>,
    pub(super) settings: Value,
    /// What it wrote that others read; empty until it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<Hashed>,
    /// What it wrote and somebody changed, where that was accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) accepted: Vec<Accepted>,
    /// What the stage reported; null until it is done.
    pub(super) result: Value,
}

impl Record {
    /// The record of a stage that begins now.
    pub(super) fn begun(stage: Stage, recipe: &Recipe) -> Result<Self, CliError> {
        let inputs = stage.inputs(recipe);
        let inputs = inputs.iter().map(Input::hashed).collect::<Result<Vec<_>, _>>()?.concat();
        Ok(Self {
            stage: stage.name().to_owned(),
            status: Status::Begun,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
            inputs,
            settings: stage.settings(recipe)?,
            outputs: Vec::new(),
            accepted: Vec::new(),
            result: Value::Null,
        })
    }

    /// The record in a stage's folder; `None` where there is none.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, CliError> {
        let path = dir.join(STAGE_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
        let record = serde_json::from_str(&text)
            .map_err(|error| CliError::of(Exit::Data, error).during(format!("read `{}`", path.display())))?;
        Ok(Some(record))
    }

    /// Writes it into a stage's folder, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| CliError::of(Exit::Bug, error))?;
        write_whole(&dir.join(STAGE_FILE), &(text + "\n"))
    }

    /// Refuses a result that somebody has changed since, or takes it for what the stage wrote.
    pub(super) fn check_outputs(&mut self, stage: Stage, recipe: &Recipe) -> Result<(), CliError> {
        // Older records have none.
        if self.outputs.is_empty() {
            return Ok(());
        }
        let now = stage.made(recipe)?;
        let mut differences = Vec::new();
        differences_of(&self.outputs, &now, &mut differences);
        if !differences.is_empty() {
            let dir = stage.dir(&recipe.out).display().to_string();
            let what = format!("the result in `{dir}` is not what stage `{stage}` wrote there");
            self.accepted.push(recipe.on_change.decide(&what, (stage.name(), &dir), differences)?);
            self.outputs = now;
        }
        Ok(())
    }

    /// What is different now, in words; empty where the same result would come out.
    pub(super) fn changes_to(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.program_version != now.program_version {
            changes.push(format!("program version {} → {}", self.program_version, now.program_version));
        }
        differences_of(&self.inputs, &now.inputs, &mut changes);
        add_differences("", &self.settings, &now.settings, &mut changes);
        changes
    }
}

/// What is different of files now, in words.
fn differences_of(before: &[Hashed], now: &[Hashed], changes: &mut Vec<String>) {
    let hash = |files: &[Hashed], name: &str| {
        files.iter().find(|file| file.name == name).map(|file| file.content_hash.clone())
    };
    for file in now {
        match hash(before, &file.name) {
            None => changes.push(format!("`{}` is new", file.name)),
            Some(before) if before != file.content_hash => {
                changes.push(format!("`{}` has other content", file.name));
            }
            Some(_) => {}
        }
    }
    for file in before.iter().filter(|file| hash(now, &file.name).is_none()) {
        changes.push(format!("`{}` is gone", file.name));
    }
}

fn add_differences(prefix: &str, old: &Value, new: &Value, changes: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let value = |fields: &Map<String, Value>, key: &str| fields.get(key).cloned().unwrap_or_default();
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in
                old.keys().chain(added).filter(|key| !TrainConfig::WITHOUT_EFFECT.contains(&key.as_str()))
            {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                add_differences(&path, &value(old, key), &value(new, key), changes);
            }
        }
        (old, new) if old != new => changes.push(format!("`{prefix}` {old} → {new}")),
        _ => {}
    }
}

/// A file that is complete or absent.
pub(super) fn write_whole(path: &Path, text: &str) -> Result<(), CliError> {
    AtomicFile::replace(path, text).map_err(|source| io_error(path, source))
}

/// Removes what a stage wrote under other settings. Only a folder with a record is a stage's.
pub(super) fn clear(dir: &Path) -> Result<(), CliError> {
    // Not while a single command writes there.
    let _lock = Lock::folder(dir)?;
    std::fs::remove_dir_all(dir).map_err(|source| io_error(dir, source))
}

/// Whether a folder holds something, yet no record: then it is someone else's. A record that was being written when its
/// process was killed is ours.
pub(super) fn is_foreign(dir: &Path) -> Result<bool, CliError> {
    let unfinished = format!(".{STAGE_FILE}.");
    let is_other = |entry: &std::io::Result<DirEntry>| match entry {
        Ok(entry) => !entry.file_name().to_string_lossy().starts_with(&unfinished),
        Err(_) => true,
    };
    let holds =
        |dir: &PathBuf| std::fs::read_dir(dir).map(|mut entries| entries.any(|entry| is_other(&entry)));
    if !dir.exists() || dir.join(STAGE_FILE).exists() {
        return Ok(false);
    }
    holds(&dir.to_owned()).map_err(|source| io_error(dir, source))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(settings: Value) -> Record {
        let hashed = |name: &str| Hashed {
            name: name.to_owned(),
            path: PathBuf::new(),
            content_hash: format!("hash of {name}"),
        };
        Record {
            stage: "select".to_owned(),
            status: Status::Done,
            program_version: "1.0.0".to_owned(),
            inputs: vec![hashed("a"), hashed("b")],
            settings,
            outputs: Vec::new(),
            accepted: Vec::new(),
            result: Value::Null,
        }
    }

    #[test]
    fn what_changed_is_named_with_both_values() {
        let old = record(json!({ "select": { "keep": "0.3", "rule": "sepo" } }));
        let mut new = record(json!({ "select": { "keep": "0.5", "rule": "sepo" } }));
        new.inputs[1].content_hash.push('!');
        assert_eq!(old.changes_to(&new), ["`b` has other content", "`select.keep` \"0.3\" → \"0.5\""]);
        assert_eq!(old.changes_to(&old.clone()), [""; 0]);
    }

    #[test]
    fn when_something_is_written_changes_nothing() {
        let old = record(json!({ "train": { "save_every": 10, "epochs": 1.0 } }));
        let new = record(json!({ "train": { "save_every": null, "epochs": 1.0 } }));
        assert_eq!(old.changes_to(&new), [""; 0]);
    }

    #[test]
    fn an_input_more_or_less_is_a_change() {
        let old = record(json!({}));
        let mut new = old.clone();
        new.inputs.remove(0);
        assert_eq!(old.changes_to(&new), ["`a` is gone"]);
        assert_eq!(new.changes_to(&old), ["`a` is new"]);
    }

    #[test]
    fn a_record_that_was_never_finished_makes_no_folder_someone_elses() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".stage.json.AbC123.tmp"), "{").unwrap();
        assert!(!is_foreign(dir.path()).unwrap());
        std::fs::write(dir.path().join("mine.txt"), "").unwrap();
        assert!(is_foreign(dir.path()).unwrap());
    }
}
