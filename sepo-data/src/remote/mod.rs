//! Inputs that lie elsewhere, brought here as files.
//!
//! | URL | feature | credentials |
//! |---|---|---|
//! | `https://HOST/PATH` (a query is kept; `http://` to this machine alone) | `cloud` | – |
//! | `s3://BUCKET/KEY` | `cloud` | `AWS_…` variables |
//! | `gs://BUCKET/KEY` | `cloud` | `GOOGLE_…` variables |
//! | `az://CONTAINER/KEY`, `abfs://…`, `abfss://…` | `cloud` | `AZURE_…` variables |
//! | `hf://datasets/OWNER/NAME[@REVISION][/PATH]`, `hf://models/OWNER/NAME[@REVISION][/PATH]` | `hub` | `HF_TOKEN` |
//!
//! A key or path that ends in `/` (on the Hub also none) is a folder, one with `*` or `[` a pattern; HTTPS has neither. What is fetched
//! lies in a cache ([`cache`]; of the Hub, that of the `hf-hub` crate) and is fetched once for each version that there is. Within a
//! process a URL stands for the same files from first to last.
//!
//! Credentials come from the environment alone. No error tells them: what an URL has before `@` and behind `?`, and the
//! values of the variables, are blotted out of whatever a server or a library says ([`blot`]).

mod blot;
#[cfg(feature = "cloud")]
mod cache;
#[cfg(feature = "cloud")]
mod cloud;
#[cfg(feature = "cloud")]
mod download;
mod error;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod hub_name;
#[cfg(feature = "hub")]
mod hub_snapshot;
mod scheme;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
#[cfg(any(feature = "cloud", feature = "hub"))]
use std::time::Duration;

pub use error::RemoteError;
use scheme::Scheme;

use crate::DataError;

/// How often it is looked whether a transfer is to be given up.
#[cfg(any(feature = "cloud", feature = "hub"))]
const LOOK: Duration = Duration::from_millis(50);

/// What URLs stand for in this process.
static FOUND: Mutex<BTreeMap<String, Vec<PathBuf>>> = Mutex::new(BTreeMap::new());

/// Whether an input is a URL: it has a scheme, and no file has this name.
///
/// # Examples
///
/// ```
/// use sepo_data::is_url;
///
/// assert!(is_url("s3://bucket/pairs.jsonl"));
/// assert!(!is_url("C:/pairs.jsonl") && !is_url("data/pairs.jsonl"));
/// ```
#[must_use]
pub fn is_url(input: &str) -> bool {
    let Some((scheme, _)) = input.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme && !Path::new(input).exists()
}

/// The files, or the folder, that a URL stands for, fetched where they are not here yet. A pattern stands for files in
/// alphabetical order.
///
/// # Errors
///
/// [`DataError::Remote`], with the URL less its credentials: nobody knows the scheme; the program was built without the feature
/// for it; nothing is there; what the server said; the cache cannot be written.
///
/// # Examples
///
/// ```
/// use sepo_data::local_paths;
///
/// let error = local_paths("ftp://host/pairs.jsonl").unwrap_err();
/// assert_eq!(error.to_string(), "cannot fetch `ftp://host/pairs.jsonl`");
/// ```
pub fn local_paths(url: &str) -> Result<Vec<PathBuf>, DataError> {
    local_paths_unless(url, &AtomicBool::new(false))
}

/// The same as [`local_paths`], given up soon after `stop` is set.
///
/// What has come of a file is kept where the rest can follow it another time, under a name that begins with `.` and ends in `.part`;
/// no file has its own name before it is whole.
///
/// # Errors
///
/// As of [`local_paths`], and [`RemoteError::Stopped`].
///
/// # Examples
///
/// ```
/// use std::sync::atomic::AtomicBool;
///
/// use sepo_data::local_paths_unless;
///
/// let stop = AtomicBool::new(true);
/// assert!(local_paths_unless("https://example.org/pairs.jsonl", &stop).is_err());
/// ```
pub fn local_paths_unless(url: &str, stop: &AtomicBool) -> Result<Vec<PathBuf>, DataError> {
    // Held while it is fetched: a second one would fetch the same.
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(paths) = found.get(url) {
        return Ok(paths.clone());
    }
    let paths = fetch(url, stop)
        .map_err(|source| DataError::Remote { url: blot::without_credentials(url), source })?;
    found.insert(url.to_owned(), paths.clone());
    Ok(paths)
}

fn fetch(url: &str, stop: &AtomicBool) -> Result<Vec<PathBuf>, RemoteError> {
    let scheme = Scheme::of(url)?;
    if stop.load(Ordering::Relaxed) {
        return Err(RemoteError::Stopped);
    }
    match scheme {
        #[cfg(feature = "cloud")]
        Scheme::Cloud => cloud::fetch(url, &cache::folder()?, stop),
        #[cfg(feature = "hub")]
        Scheme::Hub => hub::fetch(url, stop),
        #[cfg(not(all(feature = "cloud", feature = "hub")))]
        other => Err(RemoteError::NotBuiltIn { feature: other.feature() }),
    }
}
