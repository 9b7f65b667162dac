//! `sepo-cli report`

use std::path::{Path, PathBuf};

use sepo_data::AtomicFile;
use serde::Serialize;

use crate::args::ReportArgs;
use crate::console::result;
use crate::exit::{CliError, Exit, io_error};
use crate::report::{Curve, ReportData, Series, curves_from_metrics, labels, render_html};

/// Runs and the folders below them that are looked through.
const DEPTH: usize = 3;

#[derive(Debug, Serialize)]
struct Drawn {
    report: PathBuf,
    runs: Vec<PathBuf>,
}

pub(crate) fn run(args: &ReportArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let out = args.out.clone().unwrap_or_else(|| args.run.join("report.html"));
    let stored = args.run.join("report.json");
    let mut runs = Vec::new();
    find_runs(&args.run, DEPTH, &mut runs)?;
    // A pipeline leaves its tables and heat maps beside its runs; a single run has curves only.
    let data = if stored.is_file() {
        let text = std::fs::read_to_string(&stored).map_err(|source| io_error(&stored, source))?;
        let mut data: ReportData = serde_json::from_str(&text).map_err(|error| {
            CliError::of(Exit::Data, error).during(format!("read `{}`", stored.display()))
        })?;
        // A pipeline that stored its curves has chosen which runs stand in them.
        if data.curves.is_empty() {
            data.curves = curves(&args.run, &runs)?;
        }
        data
    } else if runs.is_empty() {
        return Err(CliError::new(
            Exit::Data,
            format!("`{}` holds no run: there is no metrics.jsonl in it or below", args.run.display()),
            "give the `--out` folder of a training command, or a folder above several",
        ));
    } else {
        ReportData {
            title: format!("sepo: {}", args.run.display()),
            curves: curves(&args.run, &runs)?,
            ..ReportData::default()
        }
    };
    let _lock = crate::claim::file(&out)?;
    AtomicFile::replace(&out, render_html(&data)).map_err(|source| io_error(&out, source))?;
    result(args.machine.form(), &Drawn { report: out, runs }, |drawn| {
        format!("{} runs drawn in `{}`", drawn.runs.len(), drawn.report.display())
    })?;
    Ok(Exit::Done)
}

/// Folders with a `metrics.jsonl`, `dir` first, then those below it in order of their names.
pub(crate) fn find_runs(dir: &Path, depth: usize, runs: &mut Vec<PathBuf>) -> Result<(), CliError> {
    if dir.join("metrics.jsonl").is_file() {
        runs.push(dir.to_owned());
    }
    if depth == 0 {
        return Ok(());
    }
    let entries = std::fs::read_dir(dir).map_err(|source| io_error(dir, source))?;
    let mut below: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    below.sort();
    below.iter().try_for_each(|dir| find_runs(dir, depth - 1, runs))
}

/// The same curve of all runs in one plot, in the order in which the first run has them.
pub(crate) fn curves(root: &Path, runs: &[PathBuf]) -> Result<Vec<Curve>, CliError> {
    let mut joined: Vec<Curve> = Vec::new();
    for (run, name) in runs.iter().zip(labels(root, runs)) {
        for curve in curves_from_metrics(&run.join("metrics.jsonl"))? {
            let named = curve.series.iter().map(|series| Series {
                name: match (runs.len(), curve.series.len()) {
                    (1, _) => series.name.clone(),
                    (_, 1) => name.clone(),
                    _ => format!("{name}: {}", series.name),
                },
                ..series.clone()
            });
            let named: Vec<Series> = named.collect();
            match joined.iter_mut().find(|other| other.title == curve.title) {
                Some(other) => other.series.extend(named),
                None => joined.push(Curve { series: named, ..curve }),
            }
        }
    }
    Ok(joined)
}
