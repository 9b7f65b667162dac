//! `sepo-cli oracle`

use std::path::Path;
use std::sync::Arc;

use sepo_data::{Part, TokenizeConfig};
use sepo_loss::Objective;
use sepo_model::Model;
use sepo_oracle::{DpoConfig, REFERENCE_LOGPS_FILE, Subset, train_oracle, train_reference};
use sepo_train::{
    Beside, EvalReport, Examples, Footprint, HeldExamples, RunOptions, TrainBackend, TrainConfig, TrainData,
    TrainOutcome, evaluate_pairs_on,
};
use serde::Serialize;

use super::stage;
use crate::args::{DataArgs, OracleArgs};
use crate::claim;
use crate::console::{grouped, number, percent, result, say, warn};
use crate::examples;
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::length::max_length;
use crate::machine::{OnDevice, on_device};
use crate::memory::Memory;
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::PairStream;
use crate::progress::Progress;
use crate::provenance::{self, Counts, OnChange, OracleSettings, Origin, Record};

/// Learning rate of DPO where none is typed.
pub(crate) const LEARNING_RATE: f64 = 1e-6;

/// Everything that decides an oracle.
#[derive(Debug)]
pub(crate) struct OracleJob<'a> {
    /// Base model folder; the tokenizer is taken from it.
    pub(crate) model: &'a Path,
    /// A reference to use, instead of fine-tuning one.
    pub(crate) reference: Option<&'a Path>,
    pub(crate) data: &'a [String],
    /// How pairs are read; where some are held out, these measure both models, instead of those that they have not seen.
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    /// Share of the pairs that both models see.
    pub(crate) fraction: f64,
    /// Held-out pairs that are measured.
    pub(crate) eval_pairs: usize,
    pub(crate) reference_learning_rate: f64,
    pub(crate) reference_epochs: f64,
    pub(crate) dpo: DpoConfig,
    pub(crate) train: TrainConfig,
    pub(crate) memory: Memory,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// Folder for `reference` and `oracle`.
    pub(crate) out: &'a Path,
}

/// What the command came to.
#[derive(Debug, Serialize)]
pub(crate) struct OracleResult {
    /// Tokens of a sequence at most.
    max_length: usize,
    pairs_used: usize,
    pairs_held_out: usize,
    oracle: TrainOutcome,
    /// On held-out pairs; absent where all pairs were used.
    held_out: Option<HeldOut>,
}

#[derive(Debug, Serialize)]
struct HeldOut {
    reference: EvalReport,
    oracle: EvalReport,
}

pub(crate) fn run(args: &OracleArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    crate::interrupt::save_by(args.train.watch.save_by);
    let pairs = &args.pairs;
    // With a reference, the other folder gives its tokenizer only.
    let start = args.reference.as_deref().unwrap_or(&args.model);
    let job = OracleJob {
        model: &args.model,
        reference: args.reference.as_deref(),
        data: &pairs.data,
        read: &pairs.read.part(args.held_out, Part::Train),
        tokens: pairs.tokens.config(max_length(pairs.tokens.max_length, &[start])?),
        fraction: args.oracle_fraction,
        eval_pairs: args.eval_pairs,
        reference_learning_rate: args.reference_learning_rate,
        reference_epochs: args.reference_epochs,
        dpo: DpoConfig { beta: args.beta, label_smoothing: args.label_smoothing },
        train: args.train.config(LEARNING_RATE),
        memory: args.memory.memory(),
        on_change: args.change.on_change(),
        out: &args.out,
    };
    match make(&job)? {
        Ok(summary) => {
            result(args.machine.form(), &summary, |summary| describe(summary, &args.out))?;
            Ok(Exit::Done)
        }
        Err(exit) => Ok(exit),
    }
}

/// Reference and oracle in the job's folder, measured on held-out pairs; an exit code where the job was stopped.
pub(crate) fn make(job: &OracleJob<'_>) -> Result<Result<OracleResult, Exit>, CliError> {
    on_device(job.train.dtype, job)
}

impl OnDevice for &OracleJob<'_> {
    type Output = Result<Result<OracleResult, Exit>, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        make_on(on, self)
    }
}

fn make_on(on: &impl TrainBackend, job: &OracleJob<'_>) -> Result<Result<OracleResult, Exit>, CliError> {
    // All settings first: the reference may take long.
    job.train.check()?;
    let objective = Objective::Dpo { beta: job.dpo.beta, label_smoothing: job.dpo.label_smoothing };
    objective.check()?;
    let lock = claim::existing(job.out)?;
    let tokenizer = Arc::new(load_tokenizer(job.model, &job.tokens)?);
    let start = job.reference.unwrap_or(job.model);
    check_memory(job, start)?;
    let base = load_model("model", start)?;
    check_fit(&base, &tokenizer)?;
    stage::check_config(&objective, &job.train, base.parameters.len())?;
    for part in ["reference", "oracle"] {
        claim::check_model(&job.out.join(part), &base.config)?;
    }
    let record = record(job)?;
    let spill = job.memory.spill(job.out);
    let read = |read: &DataArgs| -> Result<HeldExamples, CliError> {
        let pairs = PairStream::open(job.data, read, &tokenizer, &spill)?;
        examples::of_pairs(pairs, spill.clone(), |pair| Ok(stage::example(pair)))
    };
    let held = read(job.read)?;
    let eval = job.read.held_out().as_ref().map(read).transpose()?;
    let all = held.examples();
    let subset = Subset::draw(all.len(), job.fraction, job.train.seed)?;
    let used = all.picked(&subset.used);
    say(format!("oracle: {} of {} pairs", grouped(used.len() as u64), grouped(all.len() as u64)));

    let _lock = claim::folder(job.out, lock)?;
    let reference = match make_reference(on, job, base, used)? {
        Ok(reference) => reference,
        Err(exit) => return Ok(Err(exit)),
    };
    let first: Vec<u32> = (0..).take(eval.as_ref().map_or(0, |eval| eval.examples().len())).collect();
    let (from, held_out) = match &eval {
        Some(eval) => (eval.examples(), &first),
        None => (all, &subset.held_out),
    };
    let pairs_held_out = held_out.len();
    let held_out = &held_out[..pairs_held_out.min(job.eval_pairs)];
    let counts = [("pairs", subset.used.len() as u64), ("pairs_held_out", pairs_held_out as u64)];
    record_reference(job, &record, provenance::counts(counts))?;
    let (oracle, outcome) = match make_oracle(on, job, &reference, used)? {
        Ok(made) => made,
        Err(exit) => return Ok(Err(exit)),
    };
    record_oracle(job, record, provenance::counts([counts[0], counts[1], ("steps", outcome.total_steps)]))?;
    let held_out = measure(on, job, [&reference, &oracle], from.picked(held_out))?;
    Ok(Ok(OracleResult {
        max_length: job.tokens.truncation.max_length,
        pairs_used: subset.used.len(),
        pairs_held_out,
        oracle: outcome,
        held_out,
    }))
}

/// What both models are made from.
fn record(job: &OracleJob<'_>) -> Result<Record, CliError> {
    // `oracle` and `reference` lie side by side, so the way to an input is the same.
    let mut origin = Origin::beside(&job.out.join("oracle"), job.on_change);
    origin.model("model", job.model)?;
    if let Some(dir) = job.reference {
        origin.model("reference", dir)?;
    }
    origin.data("data", job.data, job.read)?;
    origin.template(&job.tokens)?;
    let settings = OracleSettings {
        read: job.read.clone(),
        tokens: provenance::recorded(&job.tokens),
        fraction: job.fraction,
        eval_pairs: job.eval_pairs,
        reference_learning_rate: job.reference_learning_rate,
        reference_epochs: job.reference_epochs,
        beta: job.dpo.beta,
        label_smoothing: job.dpo.label_smoothing,
        train: job.train.clone(),
    };
    origin.into_record("oracle", Some(job.train.seed), &settings)
}

fn record_reference(job: &OracleJob<'_>, record: &Record, counts: Counts) -> Result<(), CliError> {
    let record = Record { part: Some("reference".to_owned()), ..record.clone() };
    provenance::model_folder(&job.out.join("reference"), record, counts)
}

/// The oracle's record: that of both, and the reference as its start.
fn record_oracle(job: &OracleJob<'_>, record: Record, counts: Counts) -> Result<(), CliError> {
    let dir = job.out.join("oracle");
    let mut start = Origin::beside(&dir, OnChange::Refuse);
    start.model("start", &job.out.join("reference"))?;
    let record = Record { part: Some("oracle".to_owned()), ..start.added_to(record) };
    provenance::model_folder(&dir, record, counts)
}

/// Refuses a model or passes that do not fit into the memory there may be, the reference beside the oracle.
fn check_memory(job: &OracleJob<'_>, start: &Path) -> Result<(), CliError> {
    let training =
        Footprint::training(&read_config(start)?, &job.train, 2 * job.tokens.truncation.max_length);
    let reference = Footprint { weights: training.weights, ..Footprint::default() };
    job.memory.check("training the oracle", &[training, reference])
}

/// The reference in `out/reference`: brought along, or fine-tuned on the chosen responses.
fn make_reference(
    on: &impl TrainBackend,
    job: &OracleJob<'_>,
    base: Model,
    used: Examples<'_>,
) -> Result<Result<Model, Exit>, CliError> {
    let dir = job.out.join("reference");
    let mut model = base;
    if job.reference.is_none() {
        let config = TrainConfig {
            learning_rate: job.reference_learning_rate,
            epochs: job.reference_epochs,
            max_steps: None,
            ..job.train.clone()
        };
        stage::check_config(&Objective::Sft, &config, model.parameters.len())?;
        let mut observer = Progress::new("reference");
        let options = RunOptions { on, dir: Some(&dir), observer: &mut observer, interrupt: interrupted() };
        let outcome = train_reference(&mut model, used, &config, options)?;
        drop(observer);
        if let Some(exit) = stage::stopped(&outcome, &dir) {
            return Ok(Err(exit));
        }
    }
    model.save(&dir, Some(job.reference.unwrap_or(job.model)))?;
    Ok(Ok(model))
}

type Made = Result<(Model, TrainOutcome), Exit>;

/// The oracle in `out/oracle`, by DPO from the reference, whose log-probs are computed once.
fn make_oracle(
    on: &impl TrainBackend,
    job: &OracleJob<'_>,
    reference: &Model,
    used: Examples<'_>,
) -> Result<Made, CliError> {
    let dir = job.out.join("oracle");
    std::fs::create_dir_all(&dir).map_err(|source| crate::exit::io_error(&dir, source))?;
    let config = &job.train;
    let stored = (&*dir.join(REFERENCE_LOGPS_FILE), config.tokens_per_batch);
    let used = match examples::with_stored_reference(on, reference, used, stored, job.memory.spill(&dir))? {
        Ok(used) => used,
        Err(exit) => return Ok(Err(exit)),
    };
    let mut oracle = reference.clone();
    let mut observer = Progress::new("oracle");
    let options = RunOptions { on, dir: Some(&dir), observer: &mut observer, interrupt: interrupted() };
    let data = TrainData::new(used.examples());
    let outcome = train_oracle(&mut oracle, data, job.dpo, config, options)?;
    drop(observer);
    if let Some(exit) = stage::stopped(&outcome, &dir) {
        return Ok(Err(exit));
    }
    oracle.save(&dir, Some(job.model))?;
    Ok(Ok((oracle, outcome)))
}

/// Both models on pairs that neither has seen.
fn measure<B: TrainBackend>(
    on: &B,
    job: &OracleJob<'_>,
    [reference, oracle]: [&Model; 2],
    held_out: Examples<'_>,
) -> Result<Option<HeldOut>, CliError> {
    if held_out.is_empty() {
        return Ok(None);
    }
    let tokens = job.train.tokens_per_batch;
    let held_out = examples::with_reference(on, reference, held_out, tokens, job.memory.spill(job.out))?;
    let objective = Objective::Dpo { beta: job.dpo.beta, label_smoothing: 0.0 };
    let evaluate = |model: &Model| {
        evaluate_pairs_on(on, model, held_out.examples(), (&objective, Beside::default()), tokens)
    };
    let measured = HeldOut { reference: evaluate(reference)?, oracle: evaluate(oracle)? };
    if measured.oracle.accuracy_by_reward.is_some_and(|share| share < 0.5) {
        warn(
            "the oracle's implicit reward prefers the rejected response in most held-out pairs: are the columns swapped?",
        );
    }
    Ok(Some(measured))
}

pub(crate) fn describe(summary: &OracleResult, out: &Path) -> String {
    let mut text = format!("reference and oracle in `{}`\n", out.display());
    let Some(held_out) = &summary.held_out else {
        return text + "all pairs were used, so none is left to measure the oracle on";
    };
    text += &format!("on {} held-out pairs:\n", held_out.oracle.n);
    text += &format!(
        "  preference accuracy by log-prob: reference {}, oracle {}\n",
        percent(held_out.reference.accuracy_by_sum),
        percent(held_out.oracle.accuracy_by_sum)
    );
    text += &format!(
        "  preference accuracy by implicit reward: oracle {}\n",
        percent(held_out.oracle.accuracy_by_reward)
    );
    text += &format!("  DPO loss: reference 0.6931, oracle {}", number(held_out.oracle.loss));
    text
}
