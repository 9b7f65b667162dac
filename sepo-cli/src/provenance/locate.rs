//! Where an input lies now, and what is in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::content::{self, Content};
use super::{Input, InputKind};
use crate::args::DataArgs;
use crate::exit::CliError;

/// An input, found.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    /// As the stage would be given it now: a model folder, a file, or files of pairs.
    pub(crate) paths: Vec<String>,
    pub(crate) files: Vec<Content>,
}

impl Input {
    /// The input beside `dir`, the folder of what was made from it, or where it was typed; `None` where it is in neither
    /// place. Whether it is still the same is not asked.
    pub(crate) fn locate(&self, dir: &Path, settings: &Value) -> Result<Option<Located>, CliError> {
        let beside = self.path.iter().all(|way| !way.is_empty()).then(|| self.path.iter());
        let beside = beside.map(|ways| ways.map(|way| joined(dir, way)).collect::<Vec<_>>());
        for paths in beside.into_iter().chain([self.given.clone()]) {
            if let Some(files) = self.files_at(&paths, settings)? {
                return Ok(Some(Located { paths, files }));
            }
        }
        Ok(None)
    }

    /// The file `name` among several, as an input by itself; `None` where there is no such.
    pub(super) fn part(&self, name: &str) -> Option<Self> {
        let file = self.files.iter().find(|file| file.name == name)?.clone();
        Some(Self {
            role: "file".to_owned(),
            kind: InputKind::File,
            given: vec![name.to_owned()],
            path: vec![name.to_owned()],
            files: vec![file],
            record: self.records.get(name).cloned(),
            records: BTreeMap::new(),
        })
    }

    fn files_at(&self, paths: &[String], settings: &Value) -> Result<Option<Vec<Content>>, CliError> {
        match (self.kind, paths) {
            (InputKind::Model, [dir]) => {
                let dir = Path::new(dir);
                if content::is_model(dir) { content::of_model(dir).map(Some) } else { Ok(None) }
            }
            (InputKind::Tokenizer, [dir]) => {
                let files = content::of_tokenizer(Path::new(dir))?;
                Ok(if files.is_empty() { None } else { Some(files) })
            }
            (InputKind::File, [path]) if Path::new(path).is_file() => {
                Ok(Some(vec![Content::of(self.name(0), Path::new(path))?]))
            }
            (InputKind::Data, inputs) if !inputs.is_empty() => {
                // Whatever is wrong with what is there, it is not what was read.
                let Ok(files) = self.read(settings).files(inputs) else { return Ok(None) };
                let content = |(i, path): (usize, &PathBuf)| Content::of(self.name(i), path);
                files.iter().flatten().enumerate().map(content).collect::<Result<_, _>>().map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The recorded name of the `i`th file: files of pairs are held against the record in their order.
    fn name(&self, i: usize) -> String {
        self.files.get(i).map_or_else(|| format!("{} [{i}]", self.role), |file| file.name.clone())
    }

    /// How pairs were read.
    fn read(&self, settings: &Value) -> DataArgs {
        let name = if self.role == "eval-data" { "eval_read" } else { "read" };
        settings.get(name).and_then(|read| serde_json::from_value(read.clone()).ok()).unwrap_or_default()
    }
}

/// The way from `dir`; written with as few `..` as it takes.
fn joined(dir: &Path, way: &str) -> String {
    let mut path = dir.to_owned();
    for step in way.split('/') {
        let is_name = path.file_name().is_some() && !path.is_symlink();
        match step {
            "." => {}
            ".." if is_name => {
                path.pop();
            }
            step => path.push(step),
        }
    }
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_written_shortly() {
        assert_eq!(joined(Path::new("runs/policy"), "../../data/*.jsonl"), "data/*.jsonl");
        assert_eq!(joined(Path::new("policy"), ".."), ".");
        assert_eq!(joined(Path::new(""), "../model"), "../model");
        assert_eq!(joined(Path::new("/a/b"), "../c"), "/a/c");
    }
}
