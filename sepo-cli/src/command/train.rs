//! `sepo-cli train`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sepo_data::{Part, TokenizeConfig};
use sepo_model::Model;
use sepo_train::{
    Beside, Footprint, HeldExamples, Teacher, TrainBackend, TrainConfig, TrainData, check_inputs,
    checkpoint_folder, reads_divergences, reads_teacher,
};

use super::stage::{self, Trained};
use super::train_data::{ExampleReader, add_reference, is_selection};
use crate::args::{DataArgs, ObjectiveChoice, TrainCommandArgs};
use crate::claim;
use crate::console::{grouped, number, percent, result};
use crate::exit::{CliError, Exit};
use crate::length::max_length;
use crate::machine::{OnDevice, on_device};
use crate::memory::Memory;
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::provenance::{self, OnChange, Origin, TrainSettings};

/// Learning rate of preference training where none is typed.
pub(crate) const LEARNING_RATE: f64 = 5e-7;

/// Everything that decides a policy.
#[derive(Debug)]
pub(crate) struct TrainJob<'a> {
    /// Model folder to start from; the tokenizer is taken from it.
    pub(crate) model: &'a Path,
    /// A selection, or pairs.
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) objective: ObjectiveChoice,
    /// Frozen reference, for objectives that compare with one.
    pub(crate) reference: Option<&'a Path>,
    /// Frozen models that a teacher is made of, for objectives that distil one: toward which, and away from which.
    pub(crate) teacher: Option<[&'a Path; 2]>,
    /// Pairs to evaluate on during training; may be empty.
    pub(crate) eval_data: &'a [String],
    pub(crate) eval_read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) train: TrainConfig,
    pub(crate) memory: Memory,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// Model folder to write.
    pub(crate) out: &'a Path,
}

pub(crate) fn run(args: &TrainCommandArgs, choice: ObjectiveChoice) -> Result<Exit, CliError> {
    check_reference(args, &choice)?;
    let teacher = teacher(args, &choice)?;
    check_pair_flags(args)?;
    crate::machine::prepare(&args.machine)?;
    crate::interrupt::save_by(args.train.watch.save_by);
    let models: Vec<&Path> = std::iter::once(&args.model)
        .chain(&args.reference)
        .map(PathBuf::as_path)
        .chain(teacher.into_iter().flatten())
        .collect();
    let (eval_data, eval_read) = eval_source(args)?;
    let job = TrainJob {
        model: &args.model,
        data: &args.data,
        read: &args.read.beside(&args.data, &args.eval_data).part(args.held_out, Part::Train),
        objective: choice,
        reference: args.reference.as_deref(),
        teacher,
        eval_data,
        eval_read: &eval_read,
        tokens: args.tokens.config(max_length(args.tokens.max_length, &models)?),
        train: TrainConfig {
            eval_every: args.eval_every,
            keep_best: args.keep_best.map(Into::into),
            ..args.train.config(LEARNING_RATE)
        },
        memory: args.memory.memory(),
        on_change: args.change.on_change(),
        out: &args.out,
    };
    match make(&job)? {
        Ok(trained) => {
            result(args.machine.form(), &trained, |trained| describe(trained, &args.out))?;
            Ok(Exit::Done)
        }
        Err(exit) => Ok(exit),
    }
}

/// The policy in the job's folder; an exit code where the job was stopped.
pub(crate) fn make(job: &TrainJob<'_>) -> Result<Result<Trained, Exit>, CliError> {
    on_device(job.train.dtype, job)
}

impl OnDevice for &TrainJob<'_> {
    type Output = Result<Result<Trained, Exit>, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        make_on(on, self)
    }
}

fn make_on(on: &impl TrainBackend, job: &TrainJob<'_>) -> Result<Result<Trained, Exit>, CliError> {
    // All settings first: reading may take long.
    job.train.check()?;
    let objective = job.objective.objective()?;
    check_inputs(&objective)?;
    let lock = claim::existing(job.out)?;
    let frozen_dir = job.reference.filter(|_| reads_divergences(&objective));
    job.memory.check("training", &footprints(job, frozen_dir)?)?;
    let mut model = load_model("model", job.model)?;
    let tokenizer = Arc::new(load_tokenizer(job.model, &job.tokens)?);
    check_fit(&model, &tokenizer)?;
    claim::check_model(job.out, &model.config)?;
    let spill = job.memory.spill(job.out);
    let reader = ExampleReader {
        objective: &objective,
        choice: &job.objective,
        tokenizer: &tokenizer,
        positions: model.config.max_position,
        spill: spill.clone(),
    };
    reader.check_input(job.data)?;
    let mut origin = origin(job)?;
    reader.check_tokenizer(job.data, &mut origin)?;
    let examples = reader.read(job.data, job.read)?;
    let eval = match job.eval_data {
        [] => HeldExamples::default(),
        inputs => reader.read_pairs(inputs, job.eval_read)?,
    };
    let _lock = claim::folder(job.out, lock)?;
    let mut held = [examples, eval];
    if let Some(dir) = job.reference {
        match add_reference(on, (&model, dir), held, (job.out, job.train.tokens_per_batch), &spill)? {
            Ok(with_reference) => held = with_reference,
            Err(exit) => return Ok(Err(exit)),
        }
    }
    let [examples, eval] = &held;
    let frozen = frozen_dir.map(|dir| load_model("reference", dir)).transpose()?;
    let teacher = job.teacher.map(load_teacher).transpose()?;
    let weights = crate::step_weights::of(&job.objective);
    let beside = Beside {
        reference: frozen.as_ref(),
        teacher: teacher.as_ref().map(|[toward, away]| Teacher { toward, away }),
        weights: weights.as_deref(),
    };
    let data = TrainData::new(examples.examples()).with_eval(eval.examples()).with_beside(beside);
    let outcome = stage::run(on, objective.name(), &mut model, data, (&objective, &job.train), job.out)?;
    if let Some(exit) = stage::stopped(&outcome, job.out) {
        return Ok(Err(exit));
    }
    model.save(job.out, Some(job.model))?;
    let record = origin.into_record("train", Some(job.train.seed), &settings(job))?;
    provenance::model_folder(job.out, record, stage::made(&outcome, data))?;
    let reads_pairs = !is_selection(job.data) || !job.eval_data.is_empty();
    Ok(Ok(Trained { max_length: reads_pairs.then_some(job.tokens.truncation.max_length), outcome }))
}

/// Everything that is read, by content.
fn origin(job: &TrainJob<'_>) -> Result<Origin, CliError> {
    let mut origin = Origin::beside(job.out, job.on_change);
    origin.model("model", job.model)?;
    match job.data {
        [path] if is_selection(job.data) => origin.file("data", Path::new(path)).map(|_| ())?,
        data => origin.data("data", data, job.read)?,
    }
    if let Some(dir) = job.reference {
        origin.model("reference", dir)?;
    }
    if let Some([toward, away]) = job.teacher {
        origin.model("teacher", toward)?;
        origin.model("reverse-teacher", away)?;
    }
    if !job.eval_data.is_empty() {
        origin.data("eval-data", job.eval_data, job.eval_read)?;
    }
    origin.template(&job.tokens)?;
    Ok(origin)
}

fn settings(job: &TrainJob<'_>) -> TrainSettings {
    TrainSettings {
        objective: job.objective.clone(),
        read: job.read.clone(),
        eval_read: job.eval_read.clone(),
        tokens: provenance::recorded(&job.tokens),
        train: job.train.clone(),
    }
}

fn load_teacher([toward, away]: [&Path; 2]) -> Result<[Model; 2], CliError> {
    Ok([load_model("teacher", toward)?, load_model("reverse teacher", away)?])
}

/// What the models take: the policy, and frozen ones that run beside it.
fn footprints(job: &TrainJob<'_>, frozen: Option<&Path>) -> Result<Vec<Footprint>, CliError> {
    let mut needs = vec![Footprint::training(&read_config(job.model)?, &job.train, longest(job))];
    for dir in frozen.into_iter().chain(job.teacher.into_iter().flatten()) {
        let tokens = job.train.tokens_per_batch;
        needs.push(Footprint::inference(&read_config(dir)?, tokens, longest(job)));
    }
    Ok(needs)
}

/// Tokens of the longest pair, which runs alone where it exceeds a forward pass.
fn longest(job: &TrainJob<'_>) -> usize {
    2 * job.tokens.truncation.max_length
}

fn check_reference(args: &TrainCommandArgs, choice: &ObjectiveChoice) -> Result<(), CliError> {
    let words = choice.words();
    match (choice.objective()?.needs_reference(), &args.reference) {
        (true, None) => Err(CliError::usage(
            format!("{words} compares with a frozen reference"),
            "give its folder with `--reference`, usually the model that training starts from",
        )),
        (false, Some(_)) => {
            Err(CliError::usage(format!("{words} uses no reference"), "leave `--reference` out"))
        }
        _ => Ok(()),
    }
}

/// The two models of a teacher, where the objective distils one.
fn teacher<'a>(
    args: &'a TrainCommandArgs,
    choice: &ObjectiveChoice,
) -> Result<Option<[&'a Path; 2]>, CliError> {
    let words = choice.words();
    match (reads_teacher(&choice.objective()?), &args.teacher, &args.reverse_teacher) {
        (true, Some(toward), Some(away)) => Ok(Some([toward, away])),
        (true, ..) => Err(CliError::usage(
            format!("{words} distils a teacher made of two frozen models"),
            "give a model aligned by DPO with `--teacher`, and one by DPO on exchanged responses with `--reverse-teacher`",
        )),
        (false, None, None) => Ok(None),
        (false, toward, _) => {
            let flag = if toward.is_some() { "--teacher" } else { "--reverse-teacher" };
            Err(CliError::usage(format!("{words} distils no teacher"), format!("leave `{flag}` out")))
        }
    }
}

/// What is measured on: pairs of their own, those held out of the data, or nothing.
fn eval_source(args: &TrainCommandArgs) -> Result<(&[String], DataArgs), CliError> {
    let read = args.read.part(args.held_out, Part::Eval);
    if !args.eval_data.is_empty() {
        // The mix is of the data to train on.
        let read = read.beside(&args.eval_data, &args.data);
        return Ok((&args.eval_data, DataArgs { mix: Vec::new(), ..read }));
    }
    if args.held_out.eval_fraction.is_none() {
        return Ok((&[], read));
    }
    if is_selection(&args.data) {
        return Err(CliError::usage(
            format!("`--eval-fraction` holds pairs out, and `{}` is a selection", args.data[0]),
            "name the pairs that it was made of with `--eval-data`: those held out of them are measured on",
        ));
    }
    Ok((&args.data, read))
}

/// Refuses flags that say which pairs to read, and how, where a selection is all that is read.
fn check_pair_flags(args: &TrainCommandArgs) -> Result<(), CliError> {
    let read = &args.read;
    if !read.mix.is_empty() && is_selection(&args.data) {
        return Err(CliError::usage(
            format!("`--mix` mixes pairs, and `{}` is a selection", args.data[0]),
            "leave `--mix` out, or give it to `sepo-cli score`",
        ));
    }
    let typed = [
        ("--format", read.format.is_some()),
        ("--split", read.split.is_some()),
        ("--prompt-column", read.prompt_column.is_some()),
        ("--chosen-column", read.chosen_column.is_some()),
        ("--rejected-column", read.rejected_column.is_some()),
        ("--limit", read.limit.is_some()),
        ("--dedup", read.dedup),
        ("--strict", read.strict),
        ("--max-bad-rows", read.max_bad_rows.is_some()),
    ];
    let of_pairs = typed.into_iter().find(|(_, is_typed)| *is_typed);
    let (flag, what) = match (of_pairs, args.tokens.typed()) {
        (Some((flag, _)), _) => (flag, "which pairs to read"),
        (None, Some(flag)) => (flag, "how pairs become tokens"),
        (None, None) => return Ok(()),
    };
    if !args.eval_data.is_empty() || !is_selection(&args.data) {
        return Ok(());
    }
    Err(CliError::usage(
        format!("`{flag}` says {what}, and `{}` is a selection, which holds token ids", args.data[0]),
        format!("leave `{flag}` out, or give it to `sepo-cli score`"),
    ))
}

pub(crate) fn describe(Trained { outcome, .. }: &Trained, out: &Path) -> String {
    let last = outcome.last_step.as_ref();
    let mut text = format!(
        "{} steps, last loss {}, reward accuracy of the last batch {}; model in `{}`",
        outcome.total_steps,
        number(last.and_then(|step| step.loss)),
        percent(last.and_then(|step| step.preference.accuracy)),
        out.display()
    );
    if let Some(weights) = last.map(|step| step.weights).filter(|weights| weights.mean.is_some()) {
        text += &format!(
            "\nmean weight of the last batch {}, effective beta {}",
            number(weights.mean),
            number(weights.effective_beta)
        );
    }
    if outcome.progress.n_empty_pairs > 0 {
        text += &format!("\n{} pairs had nothing to compare", grouped(outcome.progress.n_empty_pairs));
    }
    if let Some(best) = &outcome.best {
        text += &format!(
            "\nbest evaluation: after step {}, {:.4}; its weights are in `{}`",
            best.step,
            best.value,
            checkpoint_folder(out, best.step).display()
        );
    }
    if let Some(eval) = &outcome.eval {
        text += &format!(
            "\nevaluation: loss {}, accuracy {} by log-prob, {} by implicit reward",
            number(eval.loss),
            percent(eval.accuracy_by_sum),
            percent(eval.accuracy_by_reward)
        );
    }
    text
}
