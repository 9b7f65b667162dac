//! A folder of shards.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::super::{ArtifactError, ArtifactReader, ArtifactRow, ArtifactWriter, content_hash};
use super::manifest::Manifest;
use super::places::Done;
use super::{Shard, ShardError};
use crate::TokenizeReport;

/// What happens to the shards of a run on other inputs or with other settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherRun {
    /// They stay, and are an error.
    Refuse,
    /// They are removed, and so are those of the same run: everything starts over.
    StartOver,
    /// They are removed; those of the same run stay.
    Replace,
}

/// The shards of an artifact in the making.
///
/// One process at a time: whoever opens a folder sees to it that nobody else does.
///
/// # Examples
///
/// ```
/// use sepo_data::{LogpsMeta, OtherRun, PairLogps, ShardStore, TokenizeReport};
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path().join("logps.parquet.parts");
/// let identity = serde_json::Map::from_iter([("model".to_owned(), "a hash".into())]);
/// let open = || ShardStore::<PairLogps>::open(&dir, identity.clone(), OtherRun::Refuse);
///
/// let mut store = open()?;
/// let mut writer = store.writer(0, LogpsMeta::default())?;
/// writer.write(&PairLogps { row: 0, chosen_logps: vec![-1.0], rejected_logps: vec![-2.0] })?;
/// store.commit(writer, 0..1, TokenizeReport::default())?;
/// drop(store); // or the process is killed
///
/// let store = open()?;
/// assert_eq!(store.done(), [0..1]);
/// assert_eq!(store.rows().count(), 1);
/// store.remove()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ShardStore<R: ArtifactRow> {
    dir: PathBuf,
    manifest: Manifest,
    /// What was done when the folder was opened.
    done: Done,
    /// Shards of the manifest whose files are missing or not what was written.
    damaged: Vec<usize>,
    rows: PhantomData<fn() -> R>,
}

impl<R: ArtifactRow> ShardStore<R> {
    /// The folder of the run named by `identity`, made where it is absent (in a folder that must exist), every shard in
    /// it compared with its hash.
    ///
    /// `identity` is everything that decides the bytes of the shards: two runs with the same one make the same.
    ///
    /// # Errors
    ///
    /// * [`ShardError::OtherRun`]: the shards are another run's, and `other` is [`OtherRun::Refuse`].
    /// * [`ShardError::Manifest`], [`ShardError::Layout`], [`ShardError::Places`]: the manifest makes no sense.
    /// * [`ShardError::Access`]: the folder cannot be made, read or written.
    pub fn open(
        dir: impl AsRef<Path>,
        identity: Map<String, Value>,
        other: OtherRun,
    ) -> Result<Self, ShardError> {
        let dir = dir.as_ref().to_path_buf();
        match fs::create_dir(&dir) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(ShardError::Access { path: dir, source });
            }
            _ => {}
        }
        let mut store = Self {
            dir,
            manifest: Manifest::new(identity),
            done: Done::default(),
            damaged: Vec::new(),
            rows: PhantomData,
        };
        if other == OtherRun::StartOver {
            store.clear()?;
            return Ok(store);
        }
        let found = match Manifest::read(&store.dir) {
            // Nothing that could be used, and nobody wants to look at it.
            Err(error) if other == OtherRun::Replace && !matches!(error, ShardError::Access { .. }) => None,
            found => found?,
        };
        let Some(found) = found else {
            // Shards without a manifest are what a crash has left of clearing the folder, or of the first shard.
            store.clear()?;
            return Ok(store);
        };
        let differences = found.differences(&store.manifest.identity);
        if !differences.is_empty() {
            if other == OtherRun::Refuse {
                return Err(ShardError::OtherRun { dir: store.dir, differences });
            }
            store.clear()?;
            return Ok(store);
        }
        store.manifest = found;
        store.verify()?;
        Ok(store)
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Source pairs that need not be looked at, as they were when the folder was opened: in order, apart from each
    /// other.
    #[must_use]
    pub fn done(&self) -> &[Range<u64>] {
        self.done.ranges()
    }

    /// What tokenization did to the pairs of [`done`](Self::done).
    #[must_use]
    pub fn done_report(&self) -> TokenizeReport {
        let mut report = TokenizeReport::default();
        for shard in &self.manifest.shards {
            if self.done.ranges().iter().any(|range| range.contains(&shard.start)) {
                report.merge(&shard.tokenized);
            }
        }
        report
    }

    /// Shards whose files are missing or not what was written, and have not been made again.
    #[must_use]
    pub fn n_damaged(&self) -> usize {
        self.damaged.len()
    }

    /// Finished shards, damaged ones among them, in the order of the source.
    #[must_use]
    pub fn shards(&self) -> &[Shard] {
        &self.manifest.shards
    }

    /// The place behind the first `n` source pairs that were not done when the folder was opened.
    #[must_use]
    pub fn place_behind(&self, n: u64) -> u64 {
        self.done.behind(n)
    }

    /// The place of the source pair that comes after the first `n` that were not done.
    #[must_use]
    pub fn next_place(&self, n: u64) -> u64 {
        self.done.next_after(n)
    }

    /// A writer of the shard that begins with the source pair `start`: a damaged one, or the one behind the last.
    ///
    /// # Errors
    ///
    /// * [`ShardError::Places`]: a shard cannot begin there.
    /// * [`ShardError::Artifact`]: its file cannot be created.
    pub fn writer(&self, start: u64, meta: R::Meta) -> Result<ArtifactWriter<R>, ShardError> {
        let index = self.index_of(start)?;
        Ok(ArtifactWriter::create(self.path(index), meta)?)
    }

    /// Finishes a shard with the source pairs `places`: from here on a crash does not lose it.
    ///
    /// # Errors
    ///
    /// * [`ShardError::OtherEnd`]: it was made before, and then had another end.
    /// * [`ShardError::Artifact`], [`ShardError::Access`]: it cannot be written.
    pub fn commit(
        &mut self,
        writer: ArtifactWriter<R>,
        places: Range<u64>,
        tokenized: TokenizeReport,
    ) -> Result<(), ShardError> {
        let index = self.index_of(places.start)?;
        if let Some(before) = self.manifest.shards.get(index)
            && before.end != places.end
        {
            let (dir, found, expected) = (self.dir.clone(), places.end, before.end);
            return Err(ShardError::OtherEnd { dir, index, found, expected });
        }
        writer.finish()?;
        let content_hash = content_hash(self.path(index))?;
        let shard = Shard { start: places.start, end: places.end, content_hash, tokenized };
        match self.manifest.shards.get_mut(index) {
            Some(before) => *before = shard,
            None => self.manifest.shards.push(shard),
        }
        self.damaged.retain(|damaged| *damaged != index);
        self.manifest.write(&self.dir)
    }

    /// Nothing, where every shard is whole.
    ///
    /// # Errors
    ///
    /// * [`ShardError::Unmade`]: damaged ones are left.
    pub fn check_whole(&self) -> Result<(), ShardError> {
        match self.damaged.len() {
            0 => Ok(()),
            n_damaged => Err(ShardError::Unmade { dir: self.dir.clone(), n_damaged }),
        }
    }

    /// The rows of all shards, in order, one shard open at a time.
    pub fn rows(&self) -> impl Iterator<Item = Result<R, ArtifactError>> + '_ {
        (0..self.manifest.shards.len()).flat_map(|index| {
            let (rows, failure) = match ArtifactReader::open(self.path(index)) {
                Ok(rows) => (Some(rows), None),
                Err(error) => (None, Some(Err(error))),
            };
            rows.into_iter().flatten().chain(failure)
        })
    }

    /// Removes the shards, and the folder where nothing else lies in it.
    ///
    /// # Errors
    ///
    /// * [`ShardError::Access`]: something cannot be removed.
    pub fn remove(self) -> Result<(), ShardError> {
        self.clear()?;
        match fs::remove_dir(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(ShardError::Access { path: self.dir.clone(), source: error })
            }
            _ => Ok(()),
        }
    }

    /// Compares every shard with its hash, and removes what a crash has left half written.
    fn verify(&mut self) -> Result<(), ShardError> {
        self.remove_files(is_temporary)?;
        for (index, shard) in self.manifest.shards.iter().enumerate() {
            match content_hash(self.path(index)) {
                Ok(found) if found == shard.content_hash => self.done.push(shard.places()),
                Ok(_) => self.damaged.push(index),
                Err(ArtifactError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    self.damaged.push(index);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Removes what this type has written. The manifest goes first: without it the rest means nothing.
    fn clear(&self) -> Result<(), ShardError> {
        self.remove_files(|name| name == "manifest.json")?;
        self.remove_files(|name| is_temporary(name) || is_shard(name))
    }

    fn remove_files(&self, is_ours: impl Fn(&str) -> bool) -> Result<(), ShardError> {
        let failed = |source| ShardError::Access { path: self.dir.clone(), source };
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_str().is_some_and(&is_ours) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|source| ShardError::Access { path, source })?;
            }
        }
        Ok(())
    }

    /// The shard that may begin with the source pair `start`.
    fn index_of(&self, start: u64) -> Result<usize, ShardError> {
        let shards = &self.manifest.shards;
        let expected = shards.last().map_or(0, |last| last.end);
        if start == expected {
            return Ok(shards.len());
        }
        let index = shards.partition_point(|shard| shard.start < start);
        match shards.get(index) {
            Some(shard) if shard.start == start => Ok(index),
            _ => Err(ShardError::Places { dir: self.dir.clone(), index, start, end: start, expected }),
        }
    }

    fn path(&self, index: usize) -> PathBuf {
        self.dir.join(format!("part-{index:05}.parquet"))
    }
}

fn is_shard(name: &str) -> bool {
    let number = name.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".parquet"));
    number.is_some_and(|number| number.len() >= 5 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What [`AtomicFile`](super::super::AtomicFile) leaves of a shard or a manifest where the process is killed.
fn is_temporary(name: &str) -> bool {
    (name.starts_with(".part-") || name.starts_with(".manifest.json.")) && name.ends_with(".tmp")
}
