//! All stages in order, each only where it is due.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::Value;

use super::hashes::{self, InputHash};
use super::perform::perform;
use super::plan::{Verdict, Why, plan, verdict};
use super::record::{Record, Status, clear};
use super::{Recipe, Stage, report, wording};
use crate::console::say;
use crate::exit::{CliError, Exit, io_error};
use crate::interrupt::interrupted;
use crate::provenance::OnChange;

/// What became of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Ran,
    Skipped,
    WouldRun,
    WouldSkip,
}

#[derive(Debug, Serialize)]
pub(crate) struct StageSummary {
    pub(crate) stage: Stage,
    pub(crate) action: Action,
    /// Why it is due; nothing where its result stands.
    pub(crate) why: Option<String>,
    /// What the stage reported; nothing where it has not run.
    pub(crate) result: Value,
}

/// What the command came to.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) recipe: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) stages: Vec<StageSummary>,
    pub(crate) report: Option<PathBuf>,
    /// Of all inputs, where nothing was run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) hashes: Vec<InputHash>,
}

/// What would be run and what would not; writes nothing.
pub(crate) fn dry_run(recipe: &Recipe) -> Result<Summary, CliError> {
    hashes::check_content(recipe)?;
    let stages = plan(recipe)?.into_iter().map(|(stage, verdict)| match verdict {
        Verdict::Stands(record) => {
            say(format!("{stage}: would be skipped, nothing changed"));
            StageSummary { stage, action: Action::WouldSkip, why: None, result: record.result }
        }
        Verdict::Due(why) => {
            say(format!("{stage}: would run: {why}"));
            StageSummary { stage, action: Action::WouldRun, why: Some(why.to_string()), result: Value::Null }
        }
    });
    let stages = stages.collect();
    say_no_eval(recipe);
    let hashes = hashes::now(recipe)?;
    say(format!("to hold the recipe to these inputs, put this into it:\n{}", hashes::as_section(&hashes)));
    Ok(Summary { recipe: recipe.file.clone(), out: recipe.out.clone(), stages, report: None, hashes })
}

/// Runs what is due, and draws the report; an exit code where a stage was stopped.
pub(crate) fn execute(recipe: &Recipe) -> Result<Result<Summary, Exit>, CliError> {
    hashes::check_content(recipe)?;
    let _lock = crate::claim::folder(&recipe.out, None)?;
    let mut stages = Vec::new();
    let mut records = Vec::new();
    for stage in Stage::of(recipe) {
        let (verdict, now) = verdict(stage, recipe)?;
        let (action, why, record) = match verdict {
            Verdict::Stands(record) => {
                if recipe.on_change == OnChange::Accept {
                    // With what was accepted, if anything was.
                    record.write(&stage.dir(&recipe.out))?;
                }
                say(format!("{stage}: skipped, nothing changed"));
                (Action::Skipped, None, *record)
            }
            Verdict::Due(why) => {
                if interrupted().load(Ordering::Relaxed) {
                    say(format!("stopped before `{stage}`; the same command goes on from there"));
                    return Ok(Err(Exit::Interrupted));
                }
                say(format!("{stage}: {why}"));
                match run(stage, recipe, now, &why)? {
                    Ok(record) => (Action::Ran, Some(why.to_string()), record),
                    Err(exit) => return Ok(Err(exit)),
                }
            }
        };
        stages.push(StageSummary { stage, action, why, result: record.result.clone() });
        records.push((stage, record));
    }
    say_no_eval(recipe);
    let path = recipe.out.join("report.html");
    let is_current = path.is_file() && stages.iter().all(|stage| stage.action == Action::Skipped);
    if !is_current {
        report::write(recipe, &records)?;
    }
    let summary = Summary {
        recipe: recipe.file.clone(),
        out: recipe.out.clone(),
        stages,
        report: Some(path),
        hashes: Vec::new(),
    };
    Ok(Ok(summary))
}

/// One stage from an empty folder, or from where it was stopped.
fn run(
    stage: Stage,
    recipe: &Recipe,
    mut record: Record,
    why: &Why,
) -> Result<Result<Record, Exit>, CliError> {
    let dir = stage.dir(&recipe.out);
    if why.is_stale() {
        clear(&dir)?;
    }
    std::fs::create_dir_all(&dir).map_err(|source| io_error(&dir, source))?;
    record.write(&dir)?;
    match perform(stage, recipe).map_err(|error| wording::error(error, stage, &recipe.places))? {
        Ok(result) => {
            record.status = Status::Done;
            record.outputs = stage.made(recipe)?;
            record.result = result;
            record.write(&dir)?;
            Ok(Ok(record))
        }
        Err(exit) => Ok(Err(exit)),
    }
}

fn say_no_eval(recipe: &Recipe) {
    if recipe.data.eval.is_empty() {
        say("eval: left out, there is no `data.eval`");
    }
}
