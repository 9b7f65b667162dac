//! What the tests share: reading to the end, and errors in words.

use std::error::Error;
use std::path::Path;

use sepo_data::{BadReason, DataError, PairRow, ReadConfig, open_pairs};

/// The error with its causes, the folder of the test taken out.
pub(crate) fn told(error: &dyn Error, dir: &Path) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text.replace(&format!("{}/", dir.display()), "")
}

/// All rows, or the error that ends them.
pub(crate) fn rows(path: &Path) -> Result<Vec<PairRow>, DataError> {
    open_pairs(&[path.display().to_string()], &ReadConfig::default())?.collect()
}

/// The error that reading these bytes under this name ends with.
pub(crate) fn failure(name: &str, bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    told(&rows(&path).unwrap_err(), dir.path())
}

/// What is wrong with each row of these bytes; `None` for a pair.
pub(crate) fn reasons(name: &str, bytes: &[u8]) -> Vec<Option<BadReason>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let reason = |row| match row {
        PairRow::Pair(_) => None,
        PairRow::Bad(bad) => Some(bad.reason),
    };
    rows(&path).unwrap().into_iter().map(reason).collect()
}
