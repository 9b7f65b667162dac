//! Data sets and models of the Hugging Face Hub, through its cache.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};

use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use super::blot::blotted;
use super::hub_name::{HubName, Kind, Wanted};
use super::hub_snapshot::Snapshot;
use super::{LOOK, RemoteError};

/// How often a transfer that failed is tried again.
const RETRIES: usize = 3;

/// The files that a URL stands for, or the folder; given up where `stop` is set.
pub(super) fn fetch(url: &str, stop: &AtomicBool) -> Result<Vec<PathBuf>, RemoteError> {
    // The library's calls cannot be given up, only left alone: in a thread, they end with the process.
    let (sender, receiver) = mpsc::channel();
    let of = url.to_owned();
    let fetching = std::thread::spawn(move || sender.send(fetch_to_the_end(&of)));
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(fetched) => return fetched,
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                return Err(RemoteError::Stopped);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    match fetching.join() {
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(_) => unreachable!("a thread that ends has sent what it fetched"),
    }
}

fn fetch_to_the_end(url: &str) -> Result<Vec<PathBuf>, RemoteError> {
    let name = HubName::of(url)?;
    let cache = Cache::new(cache_dir()?);
    let repo_type = match name.kind {
        Kind::Dataset => RepoType::Dataset,
        Kind::Model => RepoType::Model,
    };
    let repo = |revision: &str| Repo::with_revision(name.id.clone(), repo_type, revision.to_owned());
    let here = Snapshot::find(&cache, &repo(&name.revision), &name);
    let from_here = |here: Snapshot| {
        let wanted = name.wanted(&here.files);
        if wanted.files().is_empty() { None } else { Some(paths(&here.dir, &wanted, &name)) }
    };
    if is_offline() {
        let found = here.and_then(from_here);
        return found.ok_or_else(|| RemoteError::Offline { cache: cache.path().clone() });
    }
    match fetch_online(url, &name, &cache, repo) {
        Err(error @ RemoteError::Server { .. }) => match here.and_then(from_here) {
            Some(paths) => {
                tracing::warn!("{error}; what the Hub's cache has is used");
                Ok(paths)
            }
            None => Err(error),
        },
        fetched => fetched,
    }
}

fn fetch_online(
    url: &str,
    name: &HubName,
    cache: &Cache,
    repo: impl Fn(&str) -> Repo,
) -> Result<Vec<PathBuf>, RemoteError> {
    let server = |error: ApiError| RemoteError::Server { said: blotted(&error.to_string(), url) };
    let token = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].into_iter().find_map(variable);
    let mut builder = ApiBuilder::from_cache(cache.clone())
        .with_progress(false)
        .with_retries(RETRIES)
        // From the environment alone, not from the cache's own file.
        .with_token(token);
    if let Some(endpoint) = variable("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint);
    }
    let api = builder.build().map_err(server)?;
    let info = api.repo(repo(&name.revision)).info().map_err(server)?;
    let commit = info.sha;
    if commit.is_empty() || !commit.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(RemoteError::Server { said: "the Hub named no commit".to_owned() });
    }
    let files: Vec<String> = info.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
    let wanted = name.wanted(&files);
    if wanted.files().is_empty() {
        return Err(RemoteError::Nothing);
    }
    // All of one commit, whatever happens to the branch meanwhile.
    let at_commit = api.repo(repo(&commit));
    for file in wanted.files() {
        at_commit.get(file).map_err(server)?;
    }
    let cached = cache.repo(repo(&name.revision));
    let dir = cached.pointer_path(&commit);
    if name.revision != commit {
        cached.create_ref(&commit).map_err(|source| RemoteError::Cache { path: dir.clone(), source })?;
    }
    Ok(paths(&dir, &wanted, name))
}

/// Files of a snapshot, or the folder in it.
fn paths(dir: &Path, wanted: &Wanted<'_>, name: &HubName) -> Vec<PathBuf> {
    match wanted {
        Wanted::Files(files) => files.iter().map(|file| dir.join(file)).collect(),
        Wanted::Folder(_) if name.path.is_empty() => vec![dir.to_owned()],
        Wanted::Folder(_) => vec![dir.join(&name.path)],
    }
}

/// The Hub's own rules: `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or in `huggingface` in the user's cache folder.
fn cache_dir() -> Result<PathBuf, RemoteError> {
    let path = |name| variable(name).map(PathBuf::from);
    path("HF_HUB_CACHE")
        .or_else(|| Some(path("HF_HOME")?.join("hub")))
        .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .or_else(|| Some(path("HOME").or_else(|| path("USERPROFILE"))?.join(".cache/huggingface/hub")))
        .ok_or(RemoteError::NoCache { variables: "HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME" })
}

/// As the Hub's own programs read it.
fn is_offline() -> bool {
    let is_true = |value: String| ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str());
    variable("HF_HUB_OFFLINE").is_some_and(is_true)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
