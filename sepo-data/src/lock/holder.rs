//! Who holds a lock, as its file says.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Number of the process on its host.
    pub pid: u32,
    /// Name of the machine.
    pub host: String,
    /// When it took the lock, UTC, as in RFC 3339.
    pub since: String,
}

impl LockHolder {
    pub(super) fn this_process() -> Self {
        Self {
            pid: std::process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            since: chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    pub(super) fn to_json(&self) -> String {
        // Numbers and text: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None` where it has not written it yet, or its system does not let others read.
    pub(super) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {} since {}", self.pid, self.host, self.since)
    }
}

pub(super) fn described(holder: Option<&LockHolder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), LockHolder::to_string)
}
