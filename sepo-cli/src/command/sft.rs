//! `sepo-cli sft`

use std::path::Path;
use std::sync::Arc;

use sepo_data::{Part, TokenizeConfig};
use sepo_loss::Objective;
use sepo_train::{Footprint, HeldExamples, TrainBackend, TrainConfig, TrainData};

use super::stage::{self, Trained};
use crate::args::{DataArgs, SftArgs};
use crate::claim;
use crate::console::{number, result};
use crate::examples;
use crate::exit::{CliError, Exit};
use crate::length::max_length;
use crate::machine::{OnDevice, on_device};
use crate::memory::Memory;
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::PairStream;
use crate::provenance::{self, OnChange, Origin, SftSettings};

/// Learning rate of supervised fine-tuning where none is typed.
const LEARNING_RATE: f64 = 1e-5;

/// Everything that decides a fine-tuned model.
#[derive(Debug)]
pub(crate) struct SftJob<'a> {
    /// Model folder to start from; the tokenizer is taken from it.
    pub(crate) model: &'a Path,
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) train: TrainConfig,
    pub(crate) memory: Memory,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// Model folder to write.
    pub(crate) out: &'a Path,
}

pub(crate) fn run(args: &SftArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    crate::interrupt::save_by(args.train.watch.save_by);
    let tokens = &args.pairs.tokens;
    let job = SftJob {
        model: &args.model,
        data: &args.pairs.data,
        read: &args.pairs.read.part(args.held_out, Part::Train),
        tokens: tokens.config(max_length(tokens.max_length, &[&args.model])?),
        train: args.train.config(LEARNING_RATE),
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

/// The model in the job's folder; an exit code where the job was stopped.
pub(crate) fn make(job: &SftJob<'_>) -> Result<Result<Trained, Exit>, CliError> {
    on_device(job.train.dtype, job)
}

impl OnDevice for &SftJob<'_> {
    type Output = Result<Result<Trained, Exit>, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        make_on(on, self)
    }
}

fn make_on(on: &impl TrainBackend, job: &SftJob<'_>) -> Result<Result<Trained, Exit>, CliError> {
    // All settings first: reading may take long.
    job.train.check()?;
    let lock = claim::existing(job.out)?;
    let max_length = job.tokens.truncation.max_length;
    let needs = Footprint::training(&read_config(job.model)?, &job.train, max_length);
    job.memory.check("fine-tuning", &[needs])?;
    let mut model = load_model("model", job.model)?;
    let tokenizer = Arc::new(load_tokenizer(job.model, &job.tokens)?);
    check_fit(&model, &tokenizer)?;
    claim::check_model(job.out, &model.config)?;
    let mut origin = Origin::beside(job.out, job.on_change);
    origin.model("model", job.model)?;
    origin.data("data", job.data, job.read)?;
    origin.template(&job.tokens)?;
    let spill = job.memory.spill(job.out);
    let read = |read: &DataArgs| -> Result<HeldExamples, CliError> {
        let pairs = PairStream::open(job.data, read, &tokenizer, &spill)?;
        examples::of_pairs(pairs, spill.clone(), |pair| Ok(stage::chosen_only(pair)))
    };
    let held = read(job.read)?;
    let eval = job.read.held_out().as_ref().map(read).transpose()?.unwrap_or_default();
    let data = TrainData::new(held.examples()).with_eval(eval.examples());
    let _lock = claim::folder(job.out, lock)?;
    let outcome = stage::run(on, "sft", &mut model, data, (&Objective::Sft, &job.train), job.out)?;
    if let Some(exit) = stage::stopped(&outcome, job.out) {
        return Ok(Err(exit));
    }
    model.save(job.out, Some(job.model))?;
    let tokens = provenance::recorded(&job.tokens);
    let settings = SftSettings { read: job.read.clone(), tokens, train: job.train.clone() };
    let record = origin.into_record("sft", Some(job.train.seed), &settings)?;
    provenance::model_folder(job.out, record, stage::made(&outcome, data))?;
    Ok(Ok(Trained { max_length: Some(max_length), outcome }))
}

fn describe(Trained { outcome, .. }: &Trained, out: &Path) -> String {
    let loss = outcome.last_step.as_ref().and_then(|step| step.loss);
    let mut text =
        format!("{} steps, last loss {}; model in `{}`", outcome.total_steps, number(loss), out.display());
    if let Some(eval) = &outcome.eval {
        text += &format!("\nevaluation: loss {} on {} held-out pairs", number(eval.loss), eval.n);
    }
    text
}
