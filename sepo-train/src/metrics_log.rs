//! `metrics.jsonl`: whole lines, appended, and cut back to where a run resumes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// The file, open at its end.
#[derive(Debug)]
pub(crate) struct MetricsLog {
    path: PathBuf,
    file: File,
}

/// Of a line, what decides whether it stays.
#[derive(Deserialize)]
struct Line {
    step: u64,
}

impl MetricsLog {
    /// The file at `path`, made where absent, without the lines of steps after `last_step`: a resumed run makes those
    /// steps again, and no step may stand there twice. A last line that a crash cut off goes too.
    pub(crate) fn open(path: PathBuf, last_step: u64) -> Result<Self, TrainError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(TrainError::io(&path))?;
        let keep = bytes_through(&file, last_step).map_err(TrainError::io(&path))?;
        file.set_len(keep).map_err(TrainError::io(&path))?;
        Ok(Self { path, file })
    }

    /// Adds one object as one line, in a single write.
    pub(crate) fn append(&mut self, value: &impl Serialize) -> Result<(), TrainError> {
        let mut line = serde_json::to_vec(value)
            .map_err(|source| TrainError::Json { path: self.path.clone(), source })?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.flush()).map_err(TrainError::io(&self.path))
    }

    /// Waits until the lines are on the disk: a checkpoint of step `n` must not outlive the lines up to `n`. A file that was
    /// removed or replaced while the run went on is an error; its lines would be nowhere.
    pub(crate) fn sync(&self) -> Result<(), TrainError> {
        let sync = || {
            self.file.sync_all()?;
            let (ours, named) = (self.file.metadata()?, std::fs::metadata(&self.path)?);
            let is_ours = ours.len() == named.len();
            if is_ours { Ok(()) } else { Err(std::io::Error::other("it was replaced while the run went on")) }
        };
        sync().map_err(TrainError::io(&self.path))
    }
}

/// Length of the whole lines with steps up to `last_step`; lines are in the order of their steps.
fn bytes_through(file: &File, last_step: u64) -> std::io::Result<u64> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut keep = 0;
    loop {
        line.clear();
        let n_bytes = reader.read_until(b'\n', &mut line)?;
        let is_whole = line.last() == Some(&b'\n');
        match serde_json::from_slice::<Line>(&line) {
            Ok(parsed) if is_whole && parsed.step <= last_step => keep += n_bytes as u64,
            _ => return Ok(keep),
        }
    }
}

/// Where a run keeps its metrics.
pub(crate) fn metrics_path(run_dir: &Path) -> PathBuf {
    run_dir.join("metrics.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_steps_and_a_torn_line_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = metrics_path(dir.path());
        let text =
            "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n{\"step\":2,\"eval_loss\":1}\n{\"step\":3}\n{\"st";
        std::fs::write(&path, text).unwrap();
        let mut log = MetricsLog::open(path.clone(), 2).unwrap();
        log.append(&serde_json::json!({"step": 3, "again": true})).unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            lines,
            "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n{\"step\":2,\"eval_loss\":1}\n{\"step\":3,\"again\":true}\n"
        );
    }

    #[test]
    fn a_file_that_is_gone_or_another_is_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = MetricsLog::open(metrics_path(dir.path()), 0).unwrap();
        log.append(&serde_json::json!({"step": 1})).unwrap();
        log.sync().unwrap();
        std::fs::remove_file(metrics_path(dir.path())).unwrap();
        assert!(matches!(log.sync(), Err(TrainError::Io { .. })));
        std::fs::write(metrics_path(dir.path()), "another").unwrap();
        assert!(matches!(log.sync(), Err(TrainError::Io { .. })));
    }

    #[test]
    fn a_new_run_starts_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = metrics_path(dir.path());
        std::fs::write(&path, "{\"step\":1}\n").unwrap();
        MetricsLog::open(path.clone(), 0).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }
}
