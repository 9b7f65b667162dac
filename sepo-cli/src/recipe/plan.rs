//! Whether a stage's result stands, and if not, why.

use std::fmt;
use std::path::PathBuf;

use super::record::{Record, Status, is_foreign};
use super::{Recipe, Stage};
use crate::exit::CliError;

/// What becomes of a stage.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Done before, from the same inputs with the same settings.
    Stands(Box<Record>),
    Due(Why),
}

/// Why a stage is due.
#[derive(Debug)]
pub(super) enum Why {
    NoResult,
    /// It was begun with the same inputs and settings, and goes on.
    Unfinished,
    /// A file of its result is gone.
    Missing(PathBuf),
    /// What went into the old result is not what goes into the new one.
    Changed(Vec<String>),
    /// A stage before it is due, so its inputs are not known yet.
    After(Stage),
}

impl Why {
    /// Whether what lies in the stage's folder belongs to another result.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Changed(_))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoResult => f.write_str("not done yet"),
            Self::Unfinished => f.write_str("begun and not finished; it goes on where it can"),
            Self::Missing(path) => write!(f, "`{}` is gone", path.display()),
            Self::Changed(changes) => f.write_str(&changes.join("; ")),
            Self::After(stage) => write!(f, "what `{stage}` writes may change"),
        }
    }
}

/// The verdict on a stage whose inputs are there, with the record that it would begin with.
pub(super) fn verdict(stage: Stage, recipe: &Recipe) -> Result<(Verdict, Record), CliError> {
    let dir = stage.dir(&recipe.out);
    refuse_foreign(stage, recipe)?;
    let now = Record::begun(stage, recipe)?;
    let Some(mut old) = Record::read(&dir)? else { return Ok((Verdict::Due(Why::NoResult), now)) };
    let changes = old.changes_to(&now);
    let verdict = if !changes.is_empty() {
        Verdict::Due(Why::Changed(changes))
    } else if old.status == Status::Begun {
        Verdict::Due(Why::Unfinished)
    } else if let Some(missing) = stage.outputs(recipe).into_iter().find(|path| !path.is_file()) {
        Verdict::Due(Why::Missing(missing))
    } else {
        old.check_outputs(stage, recipe)?;
        Verdict::Stands(Box::new(old))
    };
    Ok((verdict, now))
}

/// Every stage with its verdict, as far as it can be known before anything is run.
pub(super) fn plan(recipe: &Recipe) -> Result<Vec<(Stage, Verdict)>, CliError> {
    let mut due: Option<Stage> = None;
    let mut plan = Vec::new();
    for stage in Stage::of(recipe) {
        let verdict = match due {
            Some(before) => {
                refuse_foreign(stage, recipe)?;
                Verdict::Due(Why::After(before))
            }
            None => verdict(stage, recipe)?.0,
        };
        if matches!(verdict, Verdict::Due(_)) {
            due = Some(stage);
        }
        plan.push((stage, verdict));
    }
    Ok(plan)
}

/// Refuses to write into a folder that no run made.
fn refuse_foreign(stage: Stage, recipe: &Recipe) -> Result<(), CliError> {
    let dir = stage.dir(&recipe.out);
    if is_foreign(&dir)? {
        return Err(CliError::usage(
            format!("`{}` holds files that no recipe made", dir.display()),
            "choose another `run.out`, or move the folder away",
        ));
    }
    Ok(())
}
