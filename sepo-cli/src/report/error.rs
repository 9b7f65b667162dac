use std::io;
use std::path::PathBuf;

/// Why a run's metrics could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file could not be opened or read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line that is not the last one is not JSON.
    #[error("line {line} of `{}` is not a JSON object", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
}
