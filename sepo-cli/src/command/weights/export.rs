//! `sepo-cli weights export`

use std::path::{Path, PathBuf};

use sepo_data::{SelectionReader, WeightsWriter};
use serde::Serialize;

use super::origin;
use crate::args::ExportArgs;
use crate::console::{grouped, result};
use crate::exit::{CliError, Exit};
use crate::provenance::{self, ExportSettings, OnChange, Origin, Record};

/// What the command came to.
#[derive(Debug, Serialize)]
pub(crate) struct Exported {
    n_pairs: u64,
    has_spans: bool,
}

/// Everything that decides the file.
#[derive(Debug)]
pub(crate) struct ExportJob<'a> {
    pub(crate) selection: &'a Path,
    /// Whether the bytes of each token are written, too.
    pub(crate) spans: bool,
    /// The selection's scores, where they lie elsewhere than it says.
    pub(crate) scores: Option<&'a Path>,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// `.jsonl` or `.parquet` to write.
    pub(crate) out: &'a Path,
}

pub(super) fn run(args: &ExportArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    let _lock = crate::claim::file(&args.out)?;
    let exported = make(&ExportJob {
        selection: &args.selection,
        spans: args.spans,
        scores: args.scores.as_deref(),
        on_change: args.change.on_change(),
        out: &args.out,
    })?;
    result(args.machine.form(), &exported, |exported| {
        format!("{} pairs written to `{}`", grouped(exported.n_pairs), args.out.display())
    })?;
    Ok(Exit::Done)
}

/// How many pairs there are, once the file and its record are written.
pub(crate) fn make(job: &ExportJob<'_>) -> Result<Exported, CliError> {
    let reader = SelectionReader::open(job.selection)?;
    let scores = match job.spans {
        true => Some(origin::scores(reader.meta(), job.scores)?),
        false => None,
    };
    let mut spans = scores.as_deref().map(origin::spans).transpose()?;
    let record = record(job, scores)?;
    let mut writer = WeightsWriter::create(job.out)?;
    for pair in reader {
        let pair = pair?;
        let spans = spans.as_mut().map(|spans| spans.of(&pair)).transpose();
        writer.write(&pair, spans.map_err(|error| CliError::of(Exit::Data, error))?)?;
    }
    provenance::forget(job.out)?;
    let n_pairs = writer.finish()?;
    provenance::beside(job.out, record, provenance::counts([("pairs", n_pairs)]))?;
    Ok(Exported { n_pairs, has_spans: job.spans })
}

fn record(job: &ExportJob<'_>, scores: Option<PathBuf>) -> Result<Record, CliError> {
    let mut origin = Origin::beside(job.out.parent().unwrap_or(Path::new("")), job.on_change);
    origin.file("selection", job.selection)?;
    if let Some(scores) = scores {
        origin.file("scores", &scores)?;
    }
    origin.into_record("weights export", None, &ExportSettings { spans: job.spans })
}
