//! Files of object stores and of servers.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::{Either, select};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::http::HttpBuilder;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use super::blot::blotted;
use super::download::{Download, server, version};
use super::{LOOK, RemoteError};

/// The files that a URL stands for, or the folder, in `cache`; given up where `stop` is set.
pub(super) fn fetch(url: &str, cache: &Path, stop: &AtomicBool) -> Result<Vec<PathBuf>, RemoteError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| RemoteError::Cache { path: cache.to_owned(), source })?;
    let place = Place::of(url)?;
    // Of a URL, since the same key of another store is another file.
    let dir = cache.join(&blake3::hash(url.as_bytes()).to_hex()[..32]);
    let fetched = runtime.block_on(async {
        match select(pin!(place.fetch(url, &dir)), pin!(asked(stop))).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Err(RemoteError::Stopped),
        }
    });
    // A name that is being looked up would be waited for.
    runtime.shutdown_background();
    fetched
}

/// Ends soon after `stop` is set.
async fn asked(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Where something lies.
struct Place {
    store: Box<dyn ObjectStore>,
    key: Key,
    what: What,
}

/// What is wanted of a place.
enum What {
    /// The object of the key, under this name.
    File(String),
    /// All data files whose keys begin with the key.
    Folder,
    /// Those below the key that fit.
    Pattern(glob::Pattern),
}

impl Place {
    fn of(url: &str) -> Result<Self, RemoteError> {
        let malformed = |reason: &dyn std::fmt::Display| RemoteError::Malformed {
            reason: blotted(&reason.to_string(), url),
        };
        let lower = url.to_ascii_lowercase();
        if lower.starts_with("http") {
            return Self::of_server(Url::parse(url).map_err(|error| malformed(&error))?, url);
        }
        if url.contains(['?', '#']) {
            return Err(malformed(&"`?` and `#` have no meaning in a key; patterns know `*` and `[`"));
        }
        let is_pattern = url.contains(['*', '[']);
        let cut = if is_pattern { url.find(['*', '[']).and_then(|at| url[..at].rfind('/')) } else { None };
        let (start, rest) = url.split_at(cut.map_or(url.len(), |at| at + 1));
        let parsed = Url::parse(start).map_err(|error| malformed(&error))?;
        let (_, key) = ObjectStoreScheme::parse(&parsed).map_err(|error| malformed(&error))?;
        let store = store(&lower, start).map_err(|error| server(&error, url))?;
        let what = if is_pattern {
            let folder = glob::Pattern::escape(key.as_ref());
            let pattern = if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") };
            What::Pattern(glob::Pattern::new(&pattern).map_err(|error| malformed(&error))?)
        } else if url.ends_with('/') {
            What::Folder
        } else {
            What::File(key.filename().ok_or_else(|| malformed(&"it names no file"))?.to_owned())
        };
        Ok(Self { store, key, what })
    }

    /// One file of a server; the store is the whole URL, so that its query goes along.
    fn of_server(parsed: Url, url: &str) -> Result<Self, RemoteError> {
        let is_here = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if parsed.scheme() == "http" && !is_here {
            let reason = "`http` can be read and changed on its way: use `https`".to_owned();
            return Err(RemoteError::Malformed { reason });
        }
        let name = Key::from_url_path(parsed.path()).ok().and_then(|path| path.filename().map(str::to_owned));
        let name = match name {
            Some(name) if !url.ends_with('/') && !name.contains(['*', '?']) => name,
            _ => {
                let reason = "a server does not tell what it has: name one file".to_owned();
                return Err(RemoteError::Malformed { reason });
            }
        };
        let options = ClientOptions::new().with_allow_http(is_here).with_timeout_disabled();
        let store = HttpBuilder::new().with_url(parsed).with_client_options(options).with_retry(retry());
        let store = Box::new(store.build().map_err(|error| server(&error, url))?);
        Ok(Self { store, key: Key::default(), what: What::File(name) })
    }

    async fn fetch(&self, url: &str, dir: &Path) -> Result<Vec<PathBuf>, RemoteError> {
        let download = |key: Key, to: PathBuf| Download { store: &*self.store, key, to, url };
        if let What::File(name) = &self.what {
            // A name of one part: it came out of a key's last.
            let file = download(self.key.clone(), PathBuf::from(name)).into_version_of(dir).await?;
            return Ok(vec![file]);
        }
        let found = self.list(url).await?;
        if found.is_empty() {
            return Err(RemoteError::Nothing);
        }
        let dir = dir.join(version(found.values()));
        let mut files = Vec::new();
        for (name, meta) in &found {
            files.push(download(meta.location.clone(), dir.join(name)).of(meta).await?);
        }
        Ok(if matches!(self.what, What::Folder) { vec![dir] } else { files })
    }

    /// What is there and wanted, by its path below the key.
    async fn list(&self, url: &str) -> Result<BTreeMap<PathBuf, ObjectMeta>, RemoteError> {
        let folder = (!self.key.as_ref().is_empty()).then_some(&self.key);
        let all: Vec<ObjectMeta> =
            self.store.list(folder).try_collect().await.map_err(|error| server(&error, url))?;
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        let named = all.into_iter().filter_map(|meta| {
            let is_wanted = match &self.what {
                What::Pattern(pattern) => pattern.matches_with(meta.location.as_ref(), options),
                _ => crate::format::by_path(Path::new(meta.location.as_ref())).is_ok(),
            };
            let parts = meta.location.prefix_match(&self.key)?;
            let name: PathBuf = parts.map(|part| part.as_ref().to_owned()).collect();
            let is_below = name.components().all(|part| matches!(part, Component::Normal(_)));
            (is_wanted && is_below && name.components().next().is_some()).then_some((name, meta))
        });
        Ok(named.collect())
    }
}

/// The store of a URL that names a bucket or a container, with credentials of the environment.
fn store(lower: &str, url: &str) -> Result<Box<dyn ObjectStore>, object_store::Error> {
    Ok(match lower.split("://").next() {
        Some("s3") => Box::new(AmazonS3Builder::from_env().with_url(url).with_retry(retry()).build()?),
        Some("gs") => {
            Box::new(GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry()).build()?)
        }
        _ => Box::new(MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry()).build()?),
    })
}

/// Some tries in half a minute: what is down for longer is told.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 4, retry_timeout: Duration::from_secs(30), ..RetryConfig::default() }
}
