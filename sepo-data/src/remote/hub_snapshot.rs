//! What the Hub's cache has of a repository.

use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo};

use super::hub_name::HubName;

/// Folders below a snapshot that are looked into.
const MAX_DEPTH: usize = 8;

/// One version of a repository in the cache: links to its files, in the folders that they have there.
pub(super) struct Snapshot {
    pub(super) dir: PathBuf,
    /// The files, from the snapshot's folder.
    pub(super) files: Vec<String>,
}

impl Snapshot {
    /// The version that a name's revision stood for when it was fetched; `None` where it never was.
    pub(super) fn find(cache: &Cache, repo: &Repo, name: &HubName) -> Option<Self> {
        let folder = cache.path().join(repo.folder_name());
        let of_commit = |commit: &str| {
            let is_commit = !commit.is_empty() && commit.chars().all(|c| c.is_ascii_alphanumeric());
            Some(folder.join("snapshots").join(commit)).filter(|dir| is_commit && dir.is_dir())
        };
        let of_revision =
            || of_commit(fs::read_to_string(folder.join("refs").join(&name.revision)).ok()?.trim());
        let dir = of_commit(&name.revision).or_else(of_revision)?;
        let mut files = Vec::new();
        add(&dir, "", MAX_DEPTH, &mut files);
        Some(Self { dir, files })
    }
}

fn add(dir: &Path, prefix: &str, depth: usize, files: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        // Follows links: the files are links to blobs.
        if path.is_file() {
            files.push(format!("{prefix}{name}"));
        } else if path.is_dir() && depth > 0 {
            add(&path, &format!("{prefix}{name}/"), depth - 1, files);
        }
    }
}
