//! One object, streamed to a file that is whole or absent.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore};

use super::RemoteError;
use super::blot::blotted;
use crate::{Lock, LockError};

/// How often a file that another process fetches is looked at.
const WAIT: Duration = Duration::from_millis(200);

/// An object on its way to a file.
pub(super) struct Download<'a> {
    pub(super) store: &'a dyn ObjectStore,
    pub(super) key: Key,
    /// The file.
    pub(super) to: PathBuf,
    /// What was typed, for errors.
    pub(super) url: &'a str,
}

/// A name for versions of objects: of their tags, or times where they have none, and sizes.
pub(super) fn version<'m>(objects: impl IntoIterator<Item = &'m ObjectMeta>) -> String {
    let mut hasher = blake3::Hasher::new();
    for meta in objects {
        let tag = meta.e_tag.clone().unwrap_or_else(|| meta.last_modified.to_rfc3339());
        for part in [meta.location.as_ref(), &tag, &meta.size.to_string()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

impl Download<'_> {
    /// The file in a folder of its version in `dir`; what the server has decides which version that is.
    pub(super) async fn into_version_of(mut self, dir: &Path) -> Result<PathBuf, RemoteError> {
        let answer = self.get(GetOptions::default()).await?;
        let meta = answer.meta.clone();
        self.to = dir.join(version([&meta])).join(&self.to);
        let is_known = meta.e_tag.is_some() || meta.last_modified.timestamp() != 0;
        if !is_known && is_whole(&self.to, meta.size) {
            // Nothing tells whether it is still the same, so it is fetched again.
            fs::remove_file(&self.to)
                .map_err(|source| RemoteError::Cache { path: self.to.clone(), source })?;
        }
        self.keep(&meta, Some(answer)).await
    }

    /// The file of an object that is known.
    pub(super) async fn of(self, meta: &ObjectMeta) -> Result<PathBuf, RemoteError> {
        self.keep(meta, None).await
    }

    /// The file, with what is missing of it; `answer` is one about the whole of it.
    async fn keep(self, meta: &ObjectMeta, answer: Option<GetResult>) -> Result<PathBuf, RemoteError> {
        let cache_error = |path: &Path| {
            let path = path.to_owned();
            move |source| RemoteError::Cache { path, source }
        };
        if is_whole(&self.to, meta.size) {
            return Ok(self.to);
        }
        let folder = self.to.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(cache_error(folder))?;
        let _lock = locked(&self.to).await?;
        // Another process may have fetched it meanwhile.
        if is_whole(&self.to, meta.size) {
            return Ok(self.to);
        }
        let mut name = self.to.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let part = self.to.with_file_name(format!(".{}", name.to_string_lossy()));
        // Without a tag nothing could tell that what came another time belongs to it.
        let _unused = (meta.e_tag.is_none()).then(|| RemovedAtTheEnd(part.clone()));
        let n_here = fs::metadata(&part).map_or(0, |file| file.len());
        let rest = if n_here > 0 && n_here < meta.size { self.rest(meta, n_here).await } else { None };
        let (answer, mut file) = match (rest, answer) {
            (Some(rest), _) => (rest, OpenOptions::new().append(true).open(&part)),
            (None, Some(answer)) => (answer, File::create(&part)),
            (None, None) => (self.get(GetOptions::default()).await?, File::create(&part)),
        };
        let file = file.as_mut().map_err(|error| cache_error(&part)(std::io::Error::from(error.kind())))?;
        let mut chunks = answer.into_stream();
        while let Some(chunk) = chunks.try_next().await.map_err(|error| server(&error, self.url))? {
            file.write_all(&chunk).map_err(cache_error(&part))?;
        }
        file.sync_all().map_err(cache_error(&part))?;
        let n_bytes = file.metadata().map_err(cache_error(&part))?.len();
        if n_bytes != meta.size {
            return Err(RemoteError::CutOff { n_bytes, size: meta.size });
        }
        fs::rename(&part, &self.to).map_err(cache_error(&self.to))?;
        Ok(self.to)
    }

    /// What follows the first `n_here` bytes, where the server still has the same version and gives parts.
    async fn rest(&self, meta: &ObjectMeta, n_here: u64) -> Option<GetResult> {
        let options = GetOptions {
            range: Some(GetRange::Offset(n_here)),
            if_match: Some(meta.e_tag.clone()?),
            ..GetOptions::default()
        };
        let answer = self.get(options).await.ok()?;
        (answer.range == (n_here..meta.size)).then_some(answer)
    }

    async fn get(&self, options: GetOptions) -> Result<GetResult, RemoteError> {
        self.store.get_opts(&self.key, options).await.map_err(|error| server(&error, self.url))
    }
}

/// What a store said, all of it, without credentials.
pub(super) fn server(error: &object_store::Error, url: &str) -> RemoteError {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return RemoteError::Nothing;
    }
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        // Many say what their cause says.
        if !said.contains(&text) {
            said += &format!(": {text}");
        }
        cause = error.source();
    }
    RemoteError::Server { said: blotted(&said, url) }
}

/// A part of a file that goes unless it has got another name, whatever ends its transfer.
struct RemovedAtTheEnd(PathBuf);

impl Drop for RemovedAtTheEnd {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn is_whole(path: &Path, size: u64) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == size)
}

/// The lock on a file, as soon as nobody else has it.
async fn locked(path: &Path) -> Result<Lock, RemoteError> {
    loop {
        match Lock::file(path) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { .. }) => tokio::time::sleep(WAIT).await,
            Err(LockError::Io { source, .. }) => {
                return Err(RemoteError::Cache { path: path.to_owned(), source });
            }
        }
    }
}
