//! `sepo-cli data split`

use std::path::Path;

use sepo_data::format::PairWriter;
use sepo_data::{EvalFraction, PairContent, PairRow, Part, pair_hash};
use serde::Serialize;

use crate::args::{DataArgs, SplitArgs};
use crate::console::{grouped, result, warn};
use crate::exit::{CliError, Exit};
use crate::memory::Memory;
use crate::pairs::{check_unusable, describe as describe_bad, open, say_left_out};
use crate::provenance::{self, OnChange, Origin, Record, SplitSettings};

/// What the command came to.
#[derive(Debug, Serialize)]
pub(crate) struct SplitResult {
    train: u64,
    eval: u64,
    unusable: u64,
    duplicates: u64,
}

/// Everything that decides the parts.
#[derive(Debug)]
pub(crate) struct SplitJob<'a> {
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    /// Share that is held out.
    pub(crate) eval_fraction: EvalFraction,
    pub(crate) memory: Memory,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// File for the pairs to train on; they are counted where there is none.
    pub(crate) train: Option<&'a Path>,
    /// File for those held out.
    pub(crate) eval: Option<&'a Path>,
}

pub(crate) fn run(args: &SplitArgs) -> Result<Exit, CliError> {
    crate::machine::prepare_cpu(&args.machine)?;
    if args.out_train == args.out_eval {
        return Err(CliError::usage(
            format!("`--out-train` and `--out-eval` are both `{}`", args.out_train.display()),
            "name two files",
        ));
    }
    let _locks = [crate::claim::file(&args.out_train)?, crate::claim::file(&args.out_eval)?];
    let made = make(&SplitJob {
        data: &args.input.inputs,
        read: &args.input.read,
        eval_fraction: args.eval_fraction,
        memory: args.memory.memory(),
        on_change: args.change.on_change(),
        train: Some(&args.out_train),
        eval: Some(&args.out_eval),
    })?;
    result(args.machine.form(), &made, |made| {
        format!(
            "{} pairs written to `{}`, {} held out in `{}`, {} rows not usable",
            grouped(made.train),
            args.out_train.display(),
            grouped(made.eval),
            args.out_eval.display(),
            grouped(made.unusable)
        )
    })?;
    Ok(Exit::Done)
}

/// How many pairs of each part there are, once its file and the record of that are written.
pub(crate) fn make(job: &SplitJob<'_>) -> Result<SplitResult, CliError> {
    job.memory.check("splitting", &[])?;
    let out = job.train.or(job.eval).unwrap_or(Path::new(""));
    let folder = out.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut source = open(job.data, job.read, &job.memory.spill(folder))?;
    let mut train = PartFile::create(job, Part::Train, job.train)?;
    let mut eval = PartFile::create(job, Part::Eval, job.eval)?;
    let mut unusable = 0;
    for row in source.by_ref() {
        match row? {
            PairRow::Pair(pair) => match job.eval_fraction.part(pair_hash(&pair.content)) {
                Part::Train => train.write(&pair.content)?,
                Part::Eval => eval.write(&pair.content)?,
            },
            PairRow::Bad(bad) => {
                unusable += 1;
                let text = describe_bad(&bad);
                check_unusable(job.read, unusable, &text)?;
                warn(text);
            }
        }
    }
    check_parts(job.eval_fraction, train.n_pairs, eval.n_pairs)?;
    let duplicates = source.tally().counts();
    say_left_out(job.data, job.read, &duplicates);
    let duplicates = duplicates.n_duplicates;
    Ok(SplitResult { train: train.finish()?, eval: eval.finish()?, unusable, duplicates })
}

/// One part on its way to its file, with what will be its record.
struct PartFile<'a> {
    n_pairs: u64,
    file: Option<(&'a Path, PairWriter, Record)>,
}

impl<'a> PartFile<'a> {
    fn create(job: &SplitJob<'_>, part: Part, path: Option<&'a Path>) -> Result<Self, CliError> {
        let file =
            path.map(|path| Ok::<_, CliError>((path, PairWriter::create(path)?, record(job, part, path)?)));
        Ok(Self { n_pairs: 0, file: file.transpose()? })
    }

    fn write(&mut self, pair: &PairContent) -> Result<(), CliError> {
        self.n_pairs += 1;
        Ok(self.file.as_mut().map_or(Ok(()), |(_, writer, _)| writer.write(pair))?)
    }

    fn finish(self) -> Result<u64, CliError> {
        if let Some((path, writer, record)) = self.file {
            provenance::forget(path)?;
            writer.finish()?;
            provenance::beside(path, record, provenance::counts([("pairs", self.n_pairs)]))?;
        }
        Ok(self.n_pairs)
    }
}

fn record(job: &SplitJob<'_>, part: Part, path: &Path) -> Result<Record, CliError> {
    let mut origin = Origin::beside(path.parent().unwrap_or(Path::new("")), job.on_change);
    origin.data("data", job.data, job.read)?;
    let settings = SplitSettings { read: job.read.clone(), eval_fraction: job.eval_fraction };
    let record = origin.into_record("data split", None, &settings)?;
    let part = match part {
        Part::Train => "train",
        Part::Eval => "eval",
    };
    Ok(Record { part: Some(part.to_owned()), ..record })
}

/// Refuses parts of which one has no pair.
fn check_parts(fraction: EvalFraction, n_train: u64, n_eval: u64) -> Result<(), CliError> {
    if n_train > 0 && n_eval > 0 {
        return Ok(());
    }
    let share = fraction.get();
    let (message, help) = match n_train + n_eval {
        0 => (
            "no row of the data can be used".to_owned(),
            "`sepo-cli data check` names every row with its reason",
        ),
        n => {
            let which = if n_eval == 0 { "none" } else { "all" };
            let message = format!("`--eval-fraction {share}` holds out {which} of the {} pairs", grouped(n));
            (message, "choose another share, or use more data")
        }
    };
    Err(CliError::new(Exit::Data, message, help))
}
