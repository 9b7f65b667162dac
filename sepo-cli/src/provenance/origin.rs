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
        if let Some(record) = &record {
            let differences = content::differences(&record.outputs, &files);
            let what = format!(
                "the {role} in `{}` is not what `sepo-cli {}` wrote there",
                dir.display(),
                record.stage
            );
            self.hold((&what, role, dir), differences.iter().map(ToString::to_string).collect())?;
        }
        self.add(role, InputKind::Model, (&[dir.display().to_string()], files), record)
    }

    /// Adds the tokenizer in `dir`.
    pub(crate) fn tokenizer(&mut self, role: &str, dir: &Path) -> Result<(), CliError> {
        let files = content::of_tokenizer(dir)?;
        self.add(role, InputKind::Tokenizer, (&[dir.display().to_string()], files), None).map(|_| ())
    }

    /// Adds a file, such as scores.
    pub(crate) fn file(&mut self, role: &str, path: &Path) -> Result<Option<&Record>, CliError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let files = vec![Content::of(name, path)?];
        let record = store::of_file(path)?;
        self.add(role, InputKind::File, (&[path.display().to_string()], files), record)
    }

    /// Adds files of pairs.
    pub(crate) fn data(&mut self, role: &str, inputs: &[String], read: &DataArgs) -> Result<(), CliError> {
        let content = |path: PathBuf| {
            let name = relative(&self.dir, &path).unwrap_or_else(|| path.display().to_string());
            Content::of(name, &path)
        };
        let files = read.files(inputs)?.into_iter().flatten().map(content);
        let files = files.collect::<Result<Vec<_>, _>>()?;
        self.add(role, InputKind::Data, (inputs, files), None).map(|_| ())
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
        let hash = record.as_ref().map(Record::hash);
        self.inputs.push(Input { role: role.to_owned(), kind, given, path, files, record: hash.clone() });
        let (Some(record), Some(hash)) = (record, hash) else { return Ok(None) };
        let alone = record.alone();
        self.upstream.extend(record.upstream);
        Ok(Some(self.upstream.entry(hash).or_insert(alone)))
    }
}
