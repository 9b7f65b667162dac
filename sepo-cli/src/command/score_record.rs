//! What scores were made from.

use std::path::Path;

use super::score_job::ScoreJob;
use crate::console::warn;
use crate::exit::CliError;
use crate::provenance::{self, Content, Input, Origin, Record, ScoreSettings};

/// The record of scores, its inputs held against what their own records say.
pub(super) fn record(job: &ScoreJob<'_>) -> Result<Record, CliError> {
    let folder = job.out.parent().unwrap_or(Path::new(""));
    let mut origin = Origin::beside(folder, job.on_change);
    let start = origin.model("oracle", job.oracle)?.and_then(start_of);
    origin.model("reference", job.reference)?;
    if let Some(start) = start {
        check_reference(job, &start, &mut origin)?;
    }
    origin.data("data", job.data, job.read)?;
    origin.template(&job.tokens)?;
    let settings = ScoreSettings {
        read: job.read.clone(),
        tokens: provenance::recorded(&job.tokens),
        tokens_per_batch: job.shards.tokens_per_batch,
        tokens_per_shard: job.shards.tokens_per_shard,
        dtype: job.dtype,
    };
    origin.into_record("score", None, &settings)
}

/// Any model may be the reference, which is said where it is not the oracle's start; the folder in which that was must
/// hold what it held.
fn check_reference(job: &ScoreJob<'_>, start: &Input, origin: &mut Origin) -> Result<(), CliError> {
    let found = origin.files("reference");
    let differences = provenance::differences(&weights(&start.files), &weights(found));
    if differences.is_empty() {
        return Ok(());
    }
    let what = format!(
        "the reference in `{}` is not the one that the oracle in `{}` was trained from",
        job.reference.display(),
        job.oracle.display()
    );
    let is_start = |path: &String| match (job.oracle.join(path).canonicalize(), job.reference.canonicalize())
    {
        (Ok(start), Ok(reference)) => start == reference,
        _ => false,
    };
    if start.path.iter().any(is_start) {
        let differences = differences.iter().map(ToString::to_string).collect();
        return origin.hold((&what, "reference", job.reference), differences);
    }
    warn(what);
    Ok(())
}

/// The model that an oracle was trained from by preferences: its frozen start.
fn start_of(oracle: &Record) -> Option<Input> {
    let role = if oracle.stage == "oracle" { "start" } else { "reference" };
    oracle.input(role).cloned()
}

/// Without the tokenizer's files, which scoring compares by itself.
fn weights(files: &[Content]) -> Vec<Content> {
    files.iter().filter(|file| file.name.ends_with(".safetensors")).cloned().collect()
}
