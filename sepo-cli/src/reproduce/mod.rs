//! `sepo-cli reproduce`

mod again;
mod compare;
mod inputs;

use std::path::Path;

use serde::Serialize;

use again::Again;
use compare::{Compared, compared};

use crate::args::ReproduceArgs;
use crate::console::{result, say, warn};
use crate::exit::{CliError, Exit, io_error};
use crate::provenance::{Subject, unlike_its_record};

/// Something that was made again.
#[derive(Debug, Serialize)]
struct Reproduced {
    path: String,
    stage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    agrees: bool,
    compared: Vec<Compared>,
}

pub(crate) fn run(args: &ReproduceArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let groups = groups(Subject::find(&args.path)?);
    refuse_limit(args, &groups)?;
    let temporary;
    let out = match &args.out {
        Some(out) => {
            refuse_original(out, &groups)?;
            std::fs::create_dir_all(out).map_err(|source| io_error(out, source))?;
            out.as_path()
        }
        None => {
            let here = std::env::temp_dir();
            temporary = tempfile::Builder::new()
                .prefix("sepo-reproduce-")
                .tempdir_in(&here)
                .map_err(|source| io_error(&here, source))?;
            temporary.path()
        }
    };
    let mut all = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        // Of one name there may be several, as `model` in two folders.
        let out = if groups.len() == 1 { out.to_owned() } else { out.join((i + 1).to_string()) };
        std::fs::create_dir_all(&out).map_err(|source| io_error(&out, source))?;
        warn_of_others(group);
        let again = Again { out: &out, memory: args.memory.memory(), on_change: args.change.on_change() };
        match again.make(&group[0])? {
            Ok(made) => {
                for subject in group {
                    all.push(reproduced(subject, &made)?);
                }
            }
            Err(exit) => {
                if args.out.is_none() {
                    say(
                        "what was made so far was in a temporary folder and is gone; with `--out DIR` it stays, and the same command goes on",
                    );
                }
                return Ok(exit);
            }
        }
    }
    result(args.machine.form(), &all, |all| all.iter().map(Reproduced::text).collect::<Vec<_>>().join("\n"))?;
    if all.iter().all(|reproduced| reproduced.agrees) {
        return Ok(Exit::Done);
    }
    say(
        "the same bytes come of the same program on a processor of the same kind: see `program_version` and `device` of the record",
    );
    Ok(Exit::Data)
}

/// Refuses a limit on memory where all that is made again are selections, which have no use for it.
fn refuse_limit(args: &ReproduceArgs, groups: &[Vec<Subject>]) -> Result<(), CliError> {
    let selections = groups.iter().all(|group| group[0].record.stage == "select");
    if args.memory.memory_limit.is_none() || !selections {
        return Ok(());
    }
    Err(CliError::usage(
        format!("`--memory-limit` has no meaning for `{}`: a selection is streamed", args.path.display()),
        "leave `--memory-limit` out",
    ))
}

/// Subjects that one command made together: an oracle and its reference.
fn groups(subjects: Vec<Subject>) -> Vec<Vec<Subject>> {
    let mut groups: Vec<Vec<Subject>> = Vec::new();
    for subject in subjects {
        let is_beside = |other: &Subject| {
            let (a, b) = (&other.record, &subject.record);
            a.stage == "oracle"
                && b.stage == "oracle"
                && a.settings == b.settings
                && other.path.parent() == subject.path.parent()
        };
        match groups.last_mut() {
            Some(group) if is_beside(&group[0]) => group.push(subject),
            _ => groups.push(vec![subject]),
        }
    }
    groups
}

/// Refuses a folder in which the original would be written over.
fn refuse_original(out: &Path, groups: &[Vec<Subject>]) -> Result<(), CliError> {
    let real = |path: &Path| std::path::absolute(path).ok().map(|path| path.canonicalize().unwrap_or(path));
    let is_above = |subject: &Subject| match (real(out), real(&subject.path)) {
        (Some(out), Some(path)) => path.starts_with(&out) || out.starts_with(&path),
        _ => false,
    };
    match groups.iter().flatten().find(|subject| is_above(subject)) {
        Some(subject) => Err(CliError::usage(
            format!("`--out {}` holds `{}`, or lies in it", out.display(), subject.path.display()),
            "name another folder: the original stays as it is",
        )),
        None => Ok(()),
    }
}

fn warn_of_others(group: &[Subject]) {
    for subject in group {
        let (record, path) = (&subject.record, subject.path.display());
        let ours = env!("CARGO_PKG_VERSION");
        if record.program_version != ours {
            warn(format!("`{path}` was made by version {}; this is {ours}", record.program_version));
        }
        if record.device != "cpu" {
            warn(format!("`{path}` was made on `{}`, and is made again on `cpu`", record.device));
        }
    }
}

fn reproduced(subject: &Subject, made: &Path) -> Result<Reproduced, CliError> {
    let differences = unlike_its_record(subject)?;
    if !differences.is_empty() {
        warn(format!(
            "`{}` is not what its record says: {}; what is made again is held against the record",
            subject.path.display(),
            differences.join("; ")
        ));
    }
    let made = match &subject.record.part {
        Some(part) => made.join(part),
        None => made.to_owned(),
    };
    let compared = compared(subject, &made)?;
    Ok(Reproduced {
        path: subject.path.display().to_string(),
        stage: subject.record.stage.clone(),
        part: subject.record.part.clone(),
        agrees: compared.iter().all(Compared::agrees),
        compared,
    })
}

impl Reproduced {
    fn text(&self) -> String {
        let n_other = self.compared.iter().filter(|compared| !compared.agrees()).count();
        let verdict = match n_other {
            0 => "all of it agrees".to_owned(),
            n => format!("{n} of {} differ", self.compared.len()),
        };
        let mut text = format!("`{}`, made again by `sepo-cli {}`: {verdict}", self.path, self.stage);
        for compared in &self.compared {
            text += &format!("\n  {}", compared.text());
        }
        text
    }
}
