//! `sepo-cli eval`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sepo_data::{Part, TokenizeConfig};
use sepo_loss::Objective;
use sepo_model::Dtype;
use sepo_train::{Beside, EvalReport, Footprint, TrainBackend, evaluate_pairs_on};
use serde::Serialize;

use super::stage;
use crate::args::{DataArgs, EvalArgs};
use crate::console::{grouped, number, percent, result};
use crate::examples;
use crate::exit::{CliError, Exit};
use crate::length::max_length;
use crate::machine::{OnDevice, on_device};
use crate::memory::Memory;
use crate::model_dir::{check_fit, load_model, load_tokenizer, read_config};
use crate::pairs::PairStream;

/// Everything that decides an evaluation.
#[derive(Debug)]
pub(crate) struct EvalJob<'a> {
    /// Model folder; the tokenizer is taken from it.
    pub(crate) model: &'a Path,
    /// Frozen reference, for implicit rewards.
    pub(crate) reference: Option<&'a Path>,
    pub(crate) data: &'a [String],
    pub(crate) read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) beta: f64,
    pub(crate) tokens_per_batch: usize,
    pub(crate) memory: Memory,
    /// Folder for pairs that do not fit into memory.
    pub(crate) scratch: &'a Path,
}

#[derive(Debug, Serialize)]
pub(crate) struct EvalResult {
    /// Tokens of a sequence at most.
    max_length: usize,
    /// Negative log-likelihood of a chosen token, in nats.
    pub(crate) chosen_loss: Option<f64>,
    /// With a reference, the loss is DPO's.
    pub(crate) pairs: EvalReport,
}

pub(crate) fn run(args: &EvalArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let pairs = &args.pairs;
    let models: Vec<&Path> =
        std::iter::once(&args.model).chain(&args.reference).map(PathBuf::as_path).collect();
    let job = EvalJob {
        model: &args.model,
        reference: args.reference.as_deref(),
        data: &pairs.data,
        read: &pairs.read.part(args.held_out, Part::Eval),
        tokens: pairs.tokens.config(max_length(pairs.tokens.max_length, &models)?),
        beta: args.beta,
        tokens_per_batch: args.forward.tokens_per_batch.get(),
        memory: args.memory.memory(),
        scratch: &std::env::temp_dir(),
    };
    result(args.machine.form(), &make(&job)?, describe)?;
    Ok(Exit::Done)
}

/// How the model does on the pairs.
pub(crate) fn make(job: &EvalJob<'_>) -> Result<EvalResult, CliError> {
    on_device(Dtype::F32, job)
}

impl OnDevice for &EvalJob<'_> {
    type Output = Result<EvalResult, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        make_on(on, self)
    }
}

fn make_on<B: TrainBackend>(on: &B, job: &EvalJob<'_>) -> Result<EvalResult, CliError> {
    check_memory(job)?;
    let model = load_model("model", job.model)?;
    let tokenizer = Arc::new(load_tokenizer(job.model, &job.tokens)?);
    check_fit(&model, &tokenizer)?;
    let spill = job.memory.spill(job.scratch);
    let pairs = PairStream::open(job.data, job.read, &tokenizer, &spill)?;
    let mut held = examples::of_pairs(pairs, spill.clone(), |pair| Ok(stage::example(pair)))?;
    let objective = match job.reference {
        None => Objective::Sft,
        Some(dir) => {
            let reference = load_model("reference", dir)?;
            check_fit(&reference, &tokenizer)?;
            held = examples::with_reference(on, &reference, held.examples(), job.tokens_per_batch, spill)?;
            Objective::Dpo { beta: job.beta, label_smoothing: 0.0 }
        }
    };
    objective.check()?;
    let evaluate = |objective: &Objective| {
        let beside = Beside::default();
        evaluate_pairs_on(on, &model, held.examples(), (objective, beside), job.tokens_per_batch)
    };
    let report = evaluate(&objective)?;
    let chosen_loss = match objective {
        Objective::Sft => report.loss,
        _ => evaluate(&Objective::Sft)?.loss,
    };
    Ok(EvalResult { max_length: job.tokens.truncation.max_length, chosen_loss, pairs: report })
}

/// Refuses models and passes that do not fit into the memory there may be.
fn check_memory(job: &EvalJob<'_>) -> Result<(), CliError> {
    let longest = 2 * job.tokens.truncation.max_length;
    let footprint = |dir: &Path| -> Result<Footprint, CliError> {
        Ok(Footprint::inference(&read_config(dir)?, job.tokens_per_batch, longest))
    };
    let mut needs = vec![footprint(job.model)?];
    if let Some(dir) = job.reference {
        // The two run one after the other.
        needs.push(Footprint { activations: 0, ..footprint(dir)? });
    }
    job.memory.check("the evaluation", &needs)
}

pub(crate) fn describe(result: &EvalResult) -> String {
    let EvalResult { chosen_loss, pairs, .. } = result;
    let mut text = format!(
        "{} pairs\n  loss of a chosen token: {} nats\n  preference accuracy: {} by log-prob, {} by log-prob a token",
        grouped(pairs.n),
        number(*chosen_loss),
        percent(pairs.accuracy_by_sum),
        percent(pairs.accuracy_by_mean)
    );
    if pairs.accuracy_by_reward.is_some() {
        text += &format!(
            "\n  preference accuracy by implicit reward: {}\n  reward margin: {}\n  DPO loss: {}",
            percent(pairs.accuracy_by_reward),
            number(pairs.preference.margin),
            number(pairs.loss)
        );
    }
    text + &format!(
        "\n  mean log-prob of a response: chosen {}, rejected {}",
        number(pairs.preference.chosen_logp),
        number(pairs.preference.rejected_logp)
    )
}
