//! The inputs of a stage, gathered while it begins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sepo_data::{TemplateChoice, TokenizeConfig};
use serde::Serialize;

use super::content::{self, Content};
use super::place::{relative, without_credentials};
use super::{Accepted, Input, InputKind, OnChange, Record, settings, store};
use crate::args::DataArgs;
use crate::exit::CliError;

/// What a stage reads, by content, each input held against what its own record says.
#[derive(Debug)]
pub(crate) struct Origin {
    /// Folder of what is being made.
    dir: PathBuf,
    on_change: OnChange,
    inputs: Vec<Input>,
    accepted: Vec<Accepted>,
    upstream: BTreeMap<String, Record>,
}

impl Origin {
    /// No inputs yet, of something in the folder `dir`.
    pub(crate) fn beside(dir: &Path, on_change: OnChange) -> Self {
        let (inputs, accepted, upstream) = Default::default();
        Self { dir: dir.to_owned(), on_change, inputs, accepted, upstream }
    }

    /// Adds the model folder `dir`, whose files must be those that its record names.
    pub(crate) fn model(&mut self, role: &str, dir: &Path) -> Result<Option<&Record>, CliError> {
        let files = content::of_model(dir)?;
        let record = store::of_model(dir)?;
        self.hold_written((role, dir), record.as_ref(), &files)?;
        self.add(role, InputKind::Model, (&[dir.display().to_string()], files), record)
    }

    /// Adds the tokenizer in `dir`.
    pub(crate) fn tokenizer(&mut self, role: &str, dir: &Path) -> Result<(), CliError> {
        let files = content::of_tokenizer(dir)?;
        self.add(role, InputKind::Tokenizer, (&[dir.display().to_string()], files), None).map(|_| ())
    }

    /// Adds a file, such as scores.
    pub(crate) fn file(&mut self, role: &str, path: &Path) -> Result<Option<&Record>, CliError> {
        let files = vec![Content::at(path)?];
        let record = store::of_file(path)?;
        self.hold_written((role, path), record.as_ref(), &files)?;
        self.add(role, InputKind::File, (&[path.display().to_string()], files), record)
    }

    /// Adds files of pairs. Of one that has a record, the content must be what that says.
    pub(crate) fn data(&mut self, role: &str, inputs: &[String], read: &DataArgs) -> Result<(), CliError> {
        let (mut files, mut records) = (Vec::new(), Vec::new());
        for path in read.files(inputs)?.into_iter().flatten() {
            let name = relative(&self.dir, &path).unwrap_or_else(|| path.display().to_string());
            let file = Content::of(name, &path)?;
            if let Some(record) = store::of_pairs(&path)? {
                let here = Content { name: Content::name_of(&path), ..file.clone() };
                self.hold_written((role, &path), Some(&record), &[here])?;
                records.push((file.name.clone(), record));
            }
            files.push(file);
        }
        if let ([_], Some(_)) = (&files[..], records.first()) {
            let record = records.pop().map(|(_, record)| record);
            return self.add(role, InputKind::Data, (inputs, files), record).map(|_| ());
        }
        self.add(role, InputKind::Data, (inputs, files), None)?;
        let of_files = records.into_iter().map(|(name, record)| (name, self.keep(record))).collect();
        if let Some(input) = self.inputs.last_mut() {
            input.records = of_files;
        }
        Ok(())
    }

    /// Adds the chat template, where it has a file of its own.
    pub(crate) fn template(&mut self, tokens: &TokenizeConfig) -> Result<(), CliError> {
        match &tokens.template {
            TemplateChoice::File(path) => self.file("chat-template", path).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// The files of the input `role`.
    pub(crate) fn files(&self, role: &str) -> &[Content] {
        self.inputs.iter().find(|input| input.role == role).map_or(&[], |input| &input.files)
    }

    /// Refuses or accepts files that are not what the command wrote that made them.
    fn hold_written(
        &mut self,
        (role, path): (&str, &Path),
        record: Option<&Record>,
        found: &[Content],
    ) -> Result<(), CliError> {
        // Scores and selections hold their record, and it does not say what they are.
        let Some(record) = record.filter(|record| !record.outputs.is_empty()) else { return Ok(()) };
        let differences = content::differences(&record.outputs, found);
        let stage = &record.stage;
        let what = format!("the {role} in `{}` is not what `sepo-cli {stage}` wrote there", path.display());
        self.hold((&what, role, path), differences.iter().map(ToString::to_string).collect())
    }

    /// Refuses or accepts what differs, nothing where nothing does. `what` is said, of the input `role` at `path`.
    pub(crate) fn hold(
        &mut self,
        (what, role, path): (&str, &str, &Path),
        differences: Vec<String>,
    ) -> Result<(), CliError> {
        if !differences.is_empty() {
            self.accepted.push(self.on_change.decide(
                what,
                (role, &path.display().to_string()),
                differences,
            )?);
        }
        Ok(())
    }

    /// The record of a stage that read all this.
    pub(crate) fn into_record(
        self,
        stage: &str,
        seed: Option<u64>,
        settings: &impl Serialize,
    ) -> Result<Record, CliError> {
        let Self { inputs, accepted, upstream, .. } = self;
        let record = Record::new(stage, seed, settings::to_value(settings)?);
        Ok(Record { inputs, accepted, upstream, ..record })
    }

    /// The record with these inputs behind its own.
    pub(crate) fn added_to(self, mut record: Record) -> Record {
        record.inputs.extend(self.inputs);
        record.accepted.extend(self.accepted);
        record.upstream.extend(self.upstream);
        record
    }

    fn add(
        &mut self,
        role: &str,
        kind: InputKind,
        (given, files): (&[String], Vec<Content>),
        record: Option<Record>,
    ) -> Result<Option<&Record>, CliError> {
        // A URL lies nowhere beside the artifact.
        let way =
            |typed: &String| if typed.contains("://") { None } else { relative(&self.dir, Path::new(typed)) };
        let path = given.iter().map(|typed| way(typed).unwrap_or_default()).collect();
        let given = given.iter().map(|typed| without_credentials(typed)).collect();
        let record = record.map(|record| self.keep(record));
        let (role, records) = (role.to_owned(), BTreeMap::new());
        self.inputs.push(Input { role, kind, given, path, files, record: record.clone(), records });
        Ok(record.and_then(|hash| self.upstream.get(&hash)))
    }

    /// The hash of a record that is kept, with all that are upstream of it.
    fn keep(&mut self, record: Record) -> String {
        let (hash, alone) = (record.hash(), record.alone());
        self.upstream.extend(record.upstream);
        self.upstream.entry(hash.clone()).or_insert(alone);
        hash
    }
}
