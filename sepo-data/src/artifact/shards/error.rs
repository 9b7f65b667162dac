//! What can be wrong with a folder of shards.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::super::ArtifactError;

/// Why a folder of shards cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The folder, or a file in it, cannot be read or written.
    #[error("cannot access `{}`", path.display())]
    Access {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifest is not the JSON expected.
    #[error("the manifest `{}` is not as expected", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The manifest was written by a version that writes another layout.
    #[error("the manifest `{}` has layout {found}, and this version reads {expected}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// The layout found.
        found: u64,
        /// The layout that is read.
        expected: u64,
    },
    /// The shards are those of a run on other inputs or with other settings.
    #[error("`{}` holds the shards of another run: {}", dir.display(), differences.join(", "))]
    OtherRun {
        /// The folder.
        dir: PathBuf,
        /// What is not the same, each as `` `name` was A, is B ``.
        differences: Vec<String>,
    },
    /// A shard does not lie where the manifest says: shards follow one another without a gap.
    #[error("shard {index} of `{}` has the source pairs {start}..{end}, expected to begin at {expected}", dir.display())]
    Places {
        /// The folder.
        dir: PathBuf,
        /// The shard, from 0.
        index: usize,
        /// Its first source pair.
        start: u64,
        /// The one behind its last.
        end: u64,
        /// Where it should begin.
        expected: u64,
    },
    /// A shard that was made again has other source pairs than before.
    #[error(
        "shard {index} of `{}`, made again, ends at source pair {found} where it ended at {expected}",
        dir.display()
    )]
    OtherEnd {
        /// The folder.
        dir: PathBuf,
        /// The shard, from 0.
        index: usize,
        /// Its end now.
        found: u64,
        /// Its end before.
        expected: u64,
    },
    /// The source has ended before every damaged shard was made again.
    #[error("{n_damaged} damaged shards of `{}` were not made again: the source has fewer pairs than before", dir.display())]
    Unmade {
        /// The folder.
        dir: PathBuf,
        /// How many.
        n_damaged: usize,
    },
    /// A shard cannot be written or read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
}
