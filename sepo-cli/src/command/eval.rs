//! `sepo-cli eval`

use std::path::{Path, PathBuf};

use sepo_data::TokenizeConfig;
use sepo_loss::Objective;
use sepo_train::{EvalReport, TrainExample, evaluate_pairs, reference_logps};
use serde::Serialize;

use super::stage;
use crate::args::{DataArgs, EvalArgs};
use crate::console::{grouped, number, percent, result};
use crate::exit::{CliError, Exit};
use crate::length::max_length;
use crate::model_dir::{check_fit, load_model, load_tokenizer};
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
        read: &pairs.read,
        tokens: pairs.tokens.config(max_length(pairs.tokens.max_length, &models)?),
        beta: args.beta,
        tokens_per_batch: args.forward.tokens_per_batch.get(),
    };
    result(args.machine.form(), &make(&job)?, describe)?;
    Ok(Exit::Done)
}

/// How the model does on the pairs.
pub(crate) fn make(job: &EvalJob<'_>) -> Result<EvalResult, CliError> {
    let model = load_model("model", job.model)?;
    let tokenizer = load_tokenizer(job.model, &job.tokens)?;
    check_fit(&model, &tokenizer)?;
    let pairs = PairStream::open(job.data, job.read, &tokenizer)?.collect_all()?;
    let mut examples: Vec<TrainExample> = pairs.into_iter().map(stage::example).collect();
    let objective = match job.reference {
        None => Objective::Sft,
        Some(dir) => {
            let reference = load_model("reference", dir)?;
            check_fit(&reference, &tokenizer)?;
            reference_logps(&reference, &mut examples, job.tokens_per_batch)?;
            Objective::Dpo { beta: job.beta, label_smoothing: 0.0 }
        }
    };
    objective.check()?;
    let report = evaluate_pairs(&model, &examples, &objective, job.tokens_per_batch)?;
    let chosen_loss = match objective {
        Objective::Sft => report.loss,
        _ => evaluate_pairs(&model, &examples, &Objective::Sft, job.tokens_per_batch)?.loss,
    };
    Ok(EvalResult { max_length: job.tokens.truncation.max_length, chosen_loss, pairs: report })
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
