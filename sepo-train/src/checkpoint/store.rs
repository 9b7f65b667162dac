//! The folder of all checkpoints of a run.

use std::fs;
use std::path::{Path, PathBuf};

use sepo_data::Lock;

use super::sync::sync_folder;
use crate::TrainError;

const DIR: &str = "checkpoints";
const PREFIX: &str = "step-";
const UNFINISHED: &str = ".tmp-";

/// Where a run in `run_dir` keeps its checkpoint of a step: a folder that can be loaded as a model.
///
/// # Examples
///
/// ```
/// let folder = sepo_train::checkpoint_folder("run".as_ref(), 7);
/// assert_eq!(folder, std::path::Path::new("run/checkpoints/step-00000007"));
/// ```
#[must_use]
pub fn checkpoint_folder(run_dir: &Path, step: u64) -> PathBuf {
    run_dir.join(DIR).join(name_of(step))
}

/// The name of its folder.
pub(super) fn name_of(step: u64) -> String {
    format!("{PREFIX}{step:08}")
}

/// `RUN/checkpoints`, locked.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    lock: Lock,
}

impl Store {
    /// The store of a run, made where absent, without the rests of writes that were killed; those are returned.
    pub(crate) fn open(run_dir: &Path) -> Result<(Self, Vec<PathBuf>), TrainError> {
        let dir = run_dir.join(DIR);
        fs::create_dir_all(&dir).map_err(TrainError::io(&dir))?;
        // Before anything is removed: it may be what another process is writing.
        let store = Self { lock: Lock::folder(&dir)?, dir };
        let mut removed = Vec::new();
        for (name, path) in store.entries()? {
            if name.starts_with(UNFINISHED) {
                remove_entry(&path).map_err(TrainError::io(&path))?;
                removed.push(path);
            }
        }
        removed.sort();
        Ok((store, removed))
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.lock.is_exclusive()
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the checkpoint of a step lies.
    pub(crate) fn folder(&self, step: u64) -> PathBuf {
        self.dir.join(name_of(step))
    }

    /// Where it is written before it has its name.
    pub(super) fn unfinished(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{UNFINISHED}{name}"))
    }

    /// Steps of all checkpoints, whole or not, newest first.
    pub(crate) fn steps(&self) -> Result<Vec<u64>, TrainError> {
        let entries = self.entries()?;
        let number = |name: &str| name.strip_prefix(PREFIX)?.parse().ok();
        let mut steps: Vec<u64> = entries.iter().filter_map(|(name, _)| number(name)).collect();
        steps.sort_unstable_by(|a, b| b.cmp(a));
        Ok(steps)
    }

    /// Removes all but the newest `keep` of the checkpoints up to `step`, which is there and whole, and that of step `best`.
    /// Damaged ones of later steps stay until the run gets there and replaces them.
    pub(crate) fn prune(&self, step: u64, keep: usize, best: Option<u64>) -> Result<(), TrainError> {
        let up_to = self.steps()?.into_iter().filter(|other| *other <= step);
        for old in up_to.skip(keep).filter(|old| Some(*old) != best) {
            self.remove(&self.folder(old))?;
        }
        Ok(())
    }

    /// Removes a folder if it is there: first its name, so that a crash leaves no half of it under that name.
    pub(super) fn remove(&self, folder: &Path) -> Result<(), TrainError> {
        let Some(name) = folder.file_name().filter(|_| folder.exists()) else {
            return Ok(());
        };
        let doomed = self.unfinished(&format!("removed-{}", name.display()));
        fs::rename(folder, &doomed).map_err(TrainError::io(folder))?;
        // The name must be gone for good before a part of its files is.
        sync_folder(&self.dir)?;
        remove_entry(&doomed).map_err(TrainError::io(&doomed))
    }

    fn entries(&self) -> Result<Vec<(String, PathBuf)>, TrainError> {
        let read = || -> std::io::Result<Vec<(String, PathBuf)>> {
            let mut entries = Vec::new();
            for entry in fs::read_dir(&self.dir)? {
                let entry = entry?;
                // A name that is not UTF-8 is none of ours.
                if let Ok(name) = entry.file_name().into_string() {
                    entries.push((name, entry.path()));
                }
            }
            Ok(entries)
        };
        read().map_err(TrainError::io(&self.dir))
    }
}

fn remove_entry(path: &Path) -> std::io::Result<()> {
    if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}
