//! What each thing that the pipeline leaves was made from.
//!
//! All of it comes of the settings alone, so one record names the others of the same folder as its inputs, and to make one of
//! them again is to run the whole. Selections are made by `select`, and have its records.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::settings::{Loss, Method, methods};
use super::{Settings, selection_file};
use crate::args::DataArgs;
use crate::exit::CliError;
use crate::provenance::{self, OnChange, Origin, RECORD_KEY, Record};

/// Files of pairs, below the pipeline's folder.
const DATA: [&str; 2] = ["data/pairs.jsonl", "data/held_out.jsonl"];

/// Records of the things in one folder.
pub(super) struct Records<'a> {
    pub(super) settings: &'a Settings,
    pub(super) out: &'a Path,
}

impl Records<'_> {
    /// Takes records of earlier files of pairs away; before others are written.
    pub(super) fn forget_data(&self) -> Result<(), CliError> {
        DATA.iter().try_for_each(|name| provenance::forget(&self.at(name)))
    }

    /// Of the files of pairs.
    pub(super) fn data(&self) -> Result<(), CliError> {
        for (name, n_pairs) in DATA.into_iter().zip([self.settings.n_pairs, self.settings.n_held_out]) {
            let record = self.record(name, self.beside(name))?;
            provenance::beside(&self.at(name), record, provenance::counts([("pairs", n_pairs as u64)]))?;
        }
        Ok(())
    }

    /// Of base, reference and oracle.
    pub(super) fn models(&self) -> Result<(), CliError> {
        let mut base = Origin::beside(&self.at("base"), OnChange::Refuse);
        base.tokenizer("tokenizer", &self.at("tokenizer"))?;
        self.model("base", base, ("texts", self.settings.n_base_texts))?;
        for (part, role, start) in [("reference", "model", "base"), ("oracle", "reference", "reference")] {
            let mut origin = Origin::beside(&self.at(part), OnChange::Refuse);
            origin.model(role, &self.at(start))?;
            self.add_pairs(&mut origin)?;
            self.model(part, origin, ("pairs", self.settings.n_pairs))?;
        }
        Ok(())
    }

    /// Of the scores, for their metadata.
    pub(super) fn scores(&self) -> Result<Map<String, Value>, CliError> {
        let mut origin = self.beside("scores.parquet");
        for part in ["oracle", "reference"] {
            origin.model(part, &self.at(part))?;
        }
        self.add_pairs(&mut origin)?;
        let record = self.record("scores.parquet", origin)?;
        Ok(Map::from_iter([(RECORD_KEY.to_owned(), provenance::to_value(&record)?)]))
    }

    /// Of the policies.
    pub(super) fn policies(&self) -> Result<(), CliError> {
        for Method { key, rule, loss, .. } in methods(self.settings) {
            let part = format!("policies/{key}");
            let mut origin = Origin::beside(&self.at(&part), OnChange::Refuse);
            origin.model("model", &self.at("reference"))?;
            match rule {
                Some(rule) => origin.file("data", &selection_file(self.out, rule)).map(|_| ())?,
                None => self.add_pairs(&mut origin)?,
            }
            if matches!(loss, Loss::Dpo) {
                origin.model("reference", &self.at("reference"))?;
            }
            self.model(&part, origin, ("pairs", self.settings.n_pairs))?;
        }
        Ok(())
    }

    fn model(&self, part: &str, origin: Origin, (what, n): (&str, usize)) -> Result<(), CliError> {
        let record = self.record(part, origin)?;
        provenance::model_folder(&self.at(part), record, provenance::counts([(what, n as u64)]))
    }

    fn record(&self, part: &str, origin: Origin) -> Result<Record, CliError> {
        let mut record = origin.into_record("quickstart", Some(self.settings.seed), self.settings)?;
        // Wherever the folder lies, its records are the same.
        for given in record.inputs.iter_mut().flat_map(|input| &mut input.given) {
            if let Ok(below) = Path::new(&*given).strip_prefix(self.out) {
                *given = below.display().to_string();
            }
        }
        Ok(Record { part: Some(part.to_owned()), ..record })
    }

    fn add_pairs(&self, origin: &mut Origin) -> Result<(), CliError> {
        origin.data("data", &[self.at(DATA[0]).display().to_string()], &DataArgs::default())
    }

    /// No inputs yet, of a file.
    fn beside(&self, name: &str) -> Origin {
        Origin::beside(self.at(name).parent().unwrap_or(Path::new("")), OnChange::Refuse)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }
}
