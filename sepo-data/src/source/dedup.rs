//! That pairs do not repeat.

use std::path::PathBuf;

/// Leaves out every pair whose content ([`pair_hash`](crate::pair_hash)) was there before; the first one stays.
///
/// A hash takes 16 bytes, in a table that has room for more: 18 to 39 bytes a pair. Beyond the bound the table lies in a
/// nameless file, which is gone with the source, and takes 21 to 43 bytes a pair there.
///
/// # Examples
///
/// ```
/// use sepo_data::{Dedup, PairSource, SourceConfig};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("pairs.jsonl");
/// let row = r#"{"prompt": "1+1=", "chosen": "2", "rejected": "3"}"#;
/// std::fs::write(&path, format!("{row}\n{row}\n"))?;
///
/// let dedup = Dedup { bytes_in_memory: 1 << 20, dir: std::env::temp_dir() };
/// let config = SourceConfig { dedup: Some(dedup), ..SourceConfig::default() };
/// let mut source = PairSource::open(&[path.display().to_string()], &config)?;
/// assert_eq!(source.by_ref().count(), 1);
/// assert_eq!(source.tally().counts().n_duplicates, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dedup {
    /// Bytes that hashes may take in memory.
    pub bytes_in_memory: u64,
    /// Folder for the hashes beyond; made if need be.
    pub dir: PathBuf,
}
