//! `sepo-cli reproduce`

mod again;
mod again_data;
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

/// Stages that need no memory to speak of, whatever they read.
const STREAMED: [&str; 6] =
    ["select", "data convert", "data generate", "weights export", "weights import", "weights project"];

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
        "the same bytes come of the same program on a processor of the same kind: see `program_version`, `device` and `instructions` of the record",
    );
    Ok(Exit::Data)
}

/// Refuses a limit on memory where nothing that is made again has a use for it: the stages whose commands have no such flag.
fn refuse_limit(args: &ReproduceArgs, groups: &[Vec<Subject>]) -> Result<(), CliError> {
    let has_no_use = |stage: &str| stage == "quickstart" || STREAMED.contains(&stage);
    if args.memory.memory_limit.is_none() || !groups.iter().all(|group| has_no_use(&group[0].record.stage)) {
        return Ok(());
    }
    let reason = match groups.iter().flatten().any(|subject| subject.record.stage == "quickstart") {
        true => "`quickstart` takes what it takes",
        false => "it is streamed",
    };
    Err(CliError::usage(
        format!("`--memory-limit` has no meaning for `{}`: {reason}", args.path.display()),
        "leave `--memory-limit` out",
    ))
}

/// Subjects that one command made together, such as an oracle and its reference.
fn groups(subjects: Vec<Subject>) -> Vec<Vec<Subject>> {
    let mut groups: Vec<Vec<Subject>> = Vec::new();
    for subject in subjects {
        let is_beside = |other: &Subject| {
            let (a, b) = (&other.record, &subject.record);
            let [theirs, ours] = [other, &subject].map(Subject::made_in);
            theirs.is_some() && theirs == ours && a.stage == b.stage && a.settings == b.settings
        };
        match groups.iter_mut().find(|group| is_beside(&group[0])) {
            Some(group) => group.push(subject),
            None => groups.push(vec![subject]),
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
        let device = crate::machine::device();
        if record.device != device {
            warn(format!("`{path}` was made on `{}`, and is made again on `{device}`", record.device));
        }
        let here = sepo_kernels::instruction_set();
        if let Some(theirs) = record.instructions.as_ref().filter(|theirs| *theirs != here) {
            warn(format!("`{path}` was made with {theirs} instructions, and is made again with {here}"));
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
    let made = match subject.place() {
        Some(place) => made.join(place),
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

#[cfg(test)]
mod tests {
    use crate::memory::Memory;
    use crate::provenance::{OnChange, State, lineage};
    use crate::quickstart::{self, Settings};

    use super::*;

    /// Settings of `quickstart` with as little of everything as makes a pipeline.
    fn little() -> Settings {
        let mut settings = Settings::new(3);
        settings.shape =
            quickstart::Shape { d_model: 16, d_ff: 24, n_layers: 1, n_heads: 2, ..settings.shape };
        settings.n_base_texts = 60;
        settings.n_pairs = 24;
        settings.n_held_out = 4;
        settings.n_tuning_prompts = 3;
        settings.n_test_prompts = 3;
        settings.max_new_tokens = 12;
        settings.learning_rates.truncate(1);
        settings
    }

    #[test]
    fn all_that_quickstart_leaves_has_a_lineage_and_is_made_again_in_one_run() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("first");
        quickstart::make(&little(), &out).unwrap().unwrap();
        let subjects = Subject::find(&out).unwrap();
        let mut parts: Vec<&str> = subjects.iter().filter_map(Subject::place).collect();
        parts.sort_unstable();
        assert_eq!(
            parts,
            [
                "base",
                "data/held_out.jsonl",
                "data/pairs.jsonl",
                "oracle",
                "policies/dpo",
                "policies/random",
                "policies/salience",
                "policies/sepo",
                "policies/simpo",
                "reference",
                "scores.parquet"
            ]
        );
        for subject in &subjects {
            let tree = lineage(subject).unwrap();
            assert_eq!(tree.worst(), State::Unchanged, "{}", tree.text());
        }
        let policy = subjects.iter().find(|subject| subject.place() == Some("policies/sepo")).unwrap();
        let drawn = lineage(policy).unwrap().text();
        for what in
            ["select 0.1.0", "quickstart (scores.parquet)", "quickstart (data/pairs.jsonl)", "tokenizer"]
        {
            assert!(drawn.contains(what), "no `{what}` in {drawn}");
        }

        // Eleven things of one run, and three selections.
        let groups = groups(subjects);
        assert_eq!(groups.iter().map(Vec::len).max(), Some(11));
        assert_eq!(groups.len(), 4);
        let again = dir.path().join("again");
        std::fs::create_dir(&again).unwrap();
        for (i, group) in groups.iter().enumerate() {
            let out = again.join(i.to_string());
            std::fs::create_dir(&out).unwrap();
            let again = Again { out: &out, memory: Memory::default(), on_change: OnChange::Refuse };
            let made = again.make(&group[0]).unwrap().unwrap();
            for subject in group {
                let reproduced = reproduced(subject, &made).unwrap();
                assert!(reproduced.agrees, "{}", reproduced.text());
            }
        }
    }
}
