//! `metrics.jsonl`: whole lines, appended, and cut back to where a run resumes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EvalReport, StepMetrics, TrainError};

/// What stands before the names of an evaluation.
const EVAL: &str = "eval_";

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
    /// Only lines of evaluations have it.
    eval_n: Option<u64>,
}

/// The end of the lines that stay when a run is resumed.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    n_bytes: u64,
    /// Of the last step among them.
    pub(crate) step: Option<StepMetrics>,
    /// Of the last evaluation.
    pub(crate) eval: Option<EvalReport>,
}

impl MetricsLog {
    /// The file at `path`, made where absent, without the lines of steps after `last_step`: a resumed run makes those
    /// steps again, and no step may stand there twice. A last line that a crash cut off goes too.
    pub(crate) fn open(path: PathBuf, last_step: u64) -> Result<(Self, Kept), TrainError> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(TrainError::io(&path))?;
        let kept = lines_through(&file, last_step).map_err(TrainError::io(&path))?;
        file.set_len(kept.n_bytes).map_err(TrainError::io(&path))?;
        Ok((Self { path, file }, kept))
    }

    /// Adds one object as one line, in a single write.
    pub(crate) fn append(&mut self, value: &impl Serialize) -> Result<(), TrainError> {
        let mut line = serde_json::to_vec(value)
            .map_err(|source| TrainError::Json { path: self.path.clone(), source })?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.flush()).map_err(TrainError::io(&self.path))
    }

    /// Adds what an evaluation found, its names marked so that no reader takes them for a step's.
    pub(crate) fn append_eval(
        &mut self,
        step: u64,
        epoch: f64,
        report: &EvalReport,
    ) -> Result<(), TrainError> {
        let mut line = Map::new();
        line.insert("step".to_owned(), step.into());
        line.insert("epoch".to_owned(), epoch.into());
        // A report is a JSON object of numbers: this cannot fail.
        if let Ok(Value::Object(fields)) = serde_json::to_value(report) {
            line.extend(fields.into_iter().map(|(name, value)| (format!("{EVAL}{name}"), value)));
        }
        self.append(&line)
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

/// The whole lines with steps up to `last_step`; lines are in the order of their steps.
fn lines_through(file: &File, last_step: u64) -> std::io::Result<Kept> {
    let mut reader = BufReader::new(file);
    let (mut line, mut step, mut eval) = (Vec::new(), Vec::new(), Vec::new());
    let mut n_bytes = 0;
    loop {
        line.clear();
        let n_read = reader.read_until(b'\n', &mut line)?;
        let is_whole = line.last() == Some(&b'\n');
        match serde_json::from_slice::<Line>(&line) {
            Ok(parsed) if is_whole && parsed.step <= last_step => {
                n_bytes += n_read as u64;
                line.clone_into(if parsed.eval_n.is_some() { &mut eval } else { &mut step });
            }
            _ => break,
        }
    }
    // Lines of an older version that lack a name are lines nonetheless; they are only not told again.
    let (step, eval) = (serde_json::from_slice(&step).ok(), eval_of(&eval));
    Ok(Kept { n_bytes, step, eval })
}

/// The report that [`MetricsLog::append_eval`] made a line of.
fn eval_of(line: &[u8]) -> Option<EvalReport> {
    let line: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let fields =
        line.into_iter().filter_map(|(name, value)| Some((name.strip_prefix(EVAL)?.to_owned(), value)));
    serde_json::from_value(Value::Object(fields.collect())).ok()
}

/// Where a run keeps its metrics.
pub(crate) fn metrics_path(run_dir: &Path) -> PathBuf {
    run_dir.join("metrics.jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PreferenceMetrics;

    #[test]
    fn later_steps_and_a_torn_line_are_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = metrics_path(dir.path());
        let text =
            "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n{\"step\":2,\"eval_loss\":1}\n{\"step\":3}\n{\"st";
        std::fs::write(&path, text).unwrap();
        let (mut log, _) = MetricsLog::open(path.clone(), 2).unwrap();
        log.append(&serde_json::json!({"step": 3, "again": true})).unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            lines,
            "{\"step\":1}\n{\"step\":2,\"loss\":0.5}\n{\"step\":2,\"eval_loss\":1}\n{\"step\":3,\"again\":true}\n"
        );
    }

    #[test]
    fn what_the_last_step_and_evaluation_said_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = metrics_path(dir.path());
        let open = |last_step| MetricsLog::open(path.clone(), last_step).unwrap();
        let mut log = open(0).0;
        let step = |step| StepMetrics {
            step,
            loss: Some(0.1 + 0.2),
            pairs_per_s: 1.0 / 3.0,
            ..StepMetrics::default()
        };
        let preference = PreferenceMetrics { chosen_logp: Some(-1.0 / 3.0), ..PreferenceMetrics::default() };
        let report = EvalReport { n: 3, loss: Some(0.7), preference, ..EvalReport::default() };
        log.append(&step(1)).unwrap();
        log.append_eval(1, 0.5, &report).unwrap();
        log.append(&step(2)).unwrap();
        log.append_eval(2, 1.0, &EvalReport::default()).unwrap();
        let kept = open(2).1;
        assert_eq!((kept.step, kept.eval), (Some(step(2)), Some(EvalReport::default())));
        let kept = open(1).1;
        assert_eq!((kept.step, kept.eval), (Some(step(1)), Some(report)));
        let kept = open(0).1;
        assert_eq!((kept.step, kept.eval, kept.n_bytes), (None, None, 0));
    }

    #[test]
    fn a_file_that_is_gone_or_another_is_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, _) = MetricsLog::open(metrics_path(dir.path()), 0).unwrap();
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
