//! What an `hf://` URL names.

use std::path::{Component, Path};

use super::RemoteError;

/// A repository of the Hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Dataset,
    Model,
}

/// `hf://KIND/OWNER/NAME[@REVISION][/PATH]`, in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubName {
    pub(super) kind: Kind,
    /// `OWNER/NAME`.
    pub(super) id: String,
    /// A branch, a tag or a commit.
    pub(super) revision: String,
    /// A file, a folder or a pattern; empty for the whole repository.
    pub(super) path: String,
}

impl HubName {
    pub(super) fn of(url: &str) -> Result<Self, RemoteError> {
        let malformed = |reason: &str| RemoteError::Malformed { reason: reason.to_owned() };
        const FORM: &str =
            "write `hf://datasets/OWNER/NAME[@REVISION][/PATH]` or `hf://models/OWNER/NAME[@REVISION]`";
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let mut parts = rest.splitn(4, '/');
        let kind = match parts.next() {
            Some("datasets") => Kind::Dataset,
            Some("models") => Kind::Model,
            _ => return Err(malformed(FORM)),
        };
        let (Some(owner), Some(name)) = (parts.next(), parts.next()) else { return Err(malformed(FORM)) };
        let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
        let revision = revision.replace("%2F", "/").replace("%2f", "/");
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with('.')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if !is_name(owner) || !is_name(name) {
            return Err(malformed(FORM));
        }
        if !is_below(&revision) || revision.chars().any(|c| c.is_whitespace() || "?#%\\".contains(c)) {
            return Err(malformed("the revision is a branch, a tag or a commit; write `/` in it as `%2F`"));
        }
        let path = parts.next().unwrap_or_default().trim_end_matches('/').to_owned();
        if !path.is_empty() && !is_below(&path) {
            return Err(malformed("the path must stay in the repository"));
        }
        Ok(Self { kind, id: format!("{owner}/{name}"), revision, path })
    }

    /// Which of the repository's files are wanted: the one named, those that fit a pattern, or those of the folder that
    /// have a say in what the data or the model is.
    pub(super) fn wanted<'f>(&self, files: &'f [String]) -> Wanted<'f> {
        // Names of others: what leaves the folder is never looked at.
        let files = files.iter().map(String::as_str).filter(|file| is_below(file));
        if self.path.contains(['*', '?', '[']) {
            let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
            let pattern = glob::Pattern::new(&self.path).ok();
            let mut found: Vec<&str> = files
                .filter(|file| pattern.as_ref().is_some_and(|pattern| pattern.matches_with(file, options)))
                .collect();
            found.sort_unstable();
            return Wanted::Files(found);
        }
        let mut in_folder = Vec::new();
        for file in files {
            if file == self.path {
                return Wanted::Files(vec![file]);
            }
            let below = if self.path.is_empty() { Some(file) } else { file.strip_prefix(&self.path) };
            let Some(below) = below else { continue };
            let below =
                if self.path.is_empty() { below } else { below.strip_prefix('/').unwrap_or_default() };
            if self.has_say(below) {
                in_folder.push(file);
            }
        }
        in_folder.sort_unstable();
        Wanted::Folder(in_folder)
    }

    /// Whether a file of the folder decides what it is.
    fn has_say(&self, below: &str) -> bool {
        let ending = Path::new(below).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match self.kind {
            // In the folder or in one below it, as splits lie.
            Kind::Dataset => {
                below.matches('/').count() < 2 && crate::format::by_path(Path::new(below)).is_ok()
            }
            Kind::Model => {
                let is_weights = ending == "safetensors" && below.starts_with("model");
                let is_setting = ["json", "jinja", "txt"].contains(&ending) && !below.contains(".bin.");
                !below.contains('/') && (is_weights || is_setting)
            }
        }
    }
}

/// Files of a repository that are wanted, in alphabetical order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted<'f> {
    /// Each by itself.
    Files(Vec<&'f str>),
    /// For the folder that they lie in.
    Folder(Vec<&'f str>),
}

impl<'f> Wanted<'f> {
    pub(super) fn files(&self) -> &[&'f str] {
        match self {
            Self::Files(files) | Self::Folder(files) => files,
        }
    }
}

/// Whether a path leads down and nowhere else.
fn is_below(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\\')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_kind_owner_name_revision_and_path() {
        let name = HubName::of("hf://datasets/org/set@refs%2Fconvert%2Fparquet/data/train.parquet").unwrap();
        assert_eq!((name.kind, name.id.as_str()), (Kind::Dataset, "org/set"));
        assert_eq!(
            (name.revision.as_str(), name.path.as_str()),
            ("refs/convert/parquet", "data/train.parquet")
        );
        let name = HubName::of("hf://models/org/small-1.5B/").unwrap();
        assert_eq!((name.kind, name.revision.as_str(), name.path.as_str()), (Kind::Model, "main", ""));
        for url in [
            "hf://org/set",
            "hf://spaces/org/set",
            "hf://datasets/org",
            "hf://datasets/../set",
            "hf://datasets/org/..",
            "hf://datasets/org/set@../../etc",
            "hf://datasets/org/set@a?b",
            "hf://datasets/org/set/../../passwd",
            "hf://datasets/org/set/a\\..\\b",
            "hf://datasets/org/set//etc/passwd",
        ] {
            assert!(matches!(HubName::of(url), Err(RemoteError::Malformed { .. })), "{url}");
        }
    }

    #[test]
    fn files_folders_and_patterns_are_found_and_nothing_outside() {
        let files: Vec<String> = [
            "README.md",
            "data/train-1.parquet",
            "data/train-0.parquet",
            "data/test-0.parquet",
            "a/b/c/d.jsonl",
            "../../etc/x.jsonl",
            "/etc/y.jsonl",
            "config.json",
            "model.safetensors",
            "pytorch_model.bin.index.json",
            "consolidated.safetensors",
            "onnx/config.json",
        ]
        .map(str::to_owned)
        .to_vec();
        let wanted = |url: &str| HubName::of(url).unwrap().wanted(&files).files().join(" ");
        assert_eq!(wanted("hf://datasets/o/n/data/test-0.parquet"), "data/test-0.parquet");
        assert_eq!(
            wanted("hf://datasets/o/n/data/train-*.parquet"),
            "data/train-0.parquet data/train-1.parquet"
        );
        assert_eq!(wanted("hf://datasets/o/n/*.parquet"), "");
        let all = "config.json data/test-0.parquet data/train-0.parquet data/train-1.parquet onnx/config.json pytorch_model.bin.index.json";
        assert_eq!(wanted("hf://datasets/o/n"), all);
        assert_eq!(
            wanted("hf://datasets/o/n/data/"),
            "data/test-0.parquet data/train-0.parquet data/train-1.parquet"
        );
        assert_eq!(wanted("hf://datasets/o/n/dat"), "");
        assert_eq!(wanted("hf://models/o/n"), "config.json model.safetensors");
        assert_eq!(wanted("hf://models/o/n/onnx"), "onnx/config.json");
    }
}
