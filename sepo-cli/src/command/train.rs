//! `sepo-cli train`

use std::path::{Path, PathBuf};

use sepo_data::{PairTokenizer, SelectionReader, TokenizeConfig};
use sepo_loss::{Normalizer, Objective};
use sepo_model::Model;
use sepo_oracle::{REFERENCE_LOGPS_FILE, stored_reference_logps};
use sepo_train::{TrainConfig, TrainData, TrainExample, reference_logps};

use super::stage::{self, Trained};
use crate::args::{DataArgs, TrainCommandArgs};
use crate::claim;
use crate::console::{grouped, number, percent, result, say};
use crate::exit::{CliError, Exit};
use crate::length::max_length;
use crate::model_dir::{check_fit, load_model, load_tokenizer};
use crate::pairs::PairStream;

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
    pub(crate) objective: Objective,
    /// Frozen reference, for objectives that compare with one.
    pub(crate) reference: Option<&'a Path>,
    /// Pairs to evaluate on during training; may be empty.
    pub(crate) eval_data: &'a [String],
    pub(crate) eval_read: &'a DataArgs,
    pub(crate) tokens: TokenizeConfig,
    pub(crate) train: TrainConfig,
    /// Model folder to write.
    pub(crate) out: &'a Path,
}

pub(crate) fn run(args: &TrainCommandArgs) -> Result<Exit, CliError> {
    let objective = args.objective_settings.objective(args.objective)?;
    check_reference(args, &objective)?;
    check_pair_flags(args)?;
    crate::machine::prepare(&args.machine)?;
    crate::interrupt::save_by(args.train.watch.save_by);
    let models: Vec<&Path> =
        std::iter::once(&args.model).chain(&args.reference).map(PathBuf::as_path).collect();
    let job = TrainJob {
        model: &args.model,
        data: &args.data,
        read: &args.read,
        objective,
        reference: args.reference.as_deref(),
        eval_data: &args.eval_data,
        eval_read: &args.read,
        tokens: args.tokens.config(max_length(args.tokens.max_length, &models)?),
        train: TrainConfig {
            eval_every: args.eval_every,
            keep_best: args.keep_best.map(Into::into),
            ..args.train.config(LEARNING_RATE)
        },
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
    let lock = claim::existing(job.out)?;
    let mut model = load_model("model", job.model)?;
    let tokenizer = load_tokenizer(job.model, &job.tokens)?;
    check_fit(&model, &tokenizer)?;
    claim::check_model(job.out, &model.config)?;
    let mut examples = read_examples(job, &tokenizer)?;
    check_lengths(&model, &examples)?;
    let mut eval = match job.eval_data {
        [] => Vec::new(),
        inputs => read_pairs((inputs, job.eval_read), &job.objective, &tokenizer)?,
    };
    let _lock = claim::folder(job.out, lock)?;
    if let Some(dir) = job.reference {
        add_reference(&model, dir, &mut examples, &mut eval, (job.out, job.train.tokens_per_batch))?;
    }
    let data = TrainData { examples: &examples, eval: &eval };
    let outcome = stage::run(job.objective.name(), &mut model, data, (&job.objective, &job.train), job.out)?;
    if let Some(exit) = stage::stopped(&outcome, job.out) {
        return Ok(Err(exit));
    }
    model.save(job.out, Some(job.model))?;
    let reads_pairs = !is_selection(job.data) || !job.eval_data.is_empty();
    Ok(Ok(Trained { max_length: reads_pairs.then_some(job.tokens.truncation.max_length), outcome }))
}

fn check_reference(args: &TrainCommandArgs, objective: &Objective) -> Result<(), CliError> {
    match (objective.needs_reference(), &args.reference) {
        (true, None) => Err(CliError::usage(
            format!("`--objective {}` compares with a frozen reference", objective.name()),
            "give its folder with `--reference`, usually the model that training starts from",
        )),
        (false, Some(_)) => Err(CliError::usage(
            format!("`--objective {}` uses no reference", objective.name()),
            "leave `--reference` out",
        )),
        _ => Ok(()),
    }
}

/// Refuses flags that say which pairs to read, where a selection is all that is read.
fn check_pair_flags(args: &TrainCommandArgs) -> Result<(), CliError> {
    let read = &args.read;
    let typed = [
        ("--format", read.format.is_some()),
        ("--split", read.split.is_some()),
        ("--prompt-column", read.prompt_column.is_some()),
        ("--chosen-column", read.chosen_column.is_some()),
        ("--rejected-column", read.rejected_column.is_some()),
        ("--limit", read.limit.is_some()),
    ];
    match typed.into_iter().find(|(_, is_typed)| *is_typed) {
        Some((flag, _)) if is_selection(&args.data) && args.eval_data.is_empty() => Err(CliError::usage(
            format!("`{flag}` says which pairs to read, and `{}` is a selection", args.data[0]),
            format!("leave `{flag}` out, or give it to `sepo-cli score`"),
        )),
        _ => Ok(()),
    }
}

/// Whether the one input is a selection.
fn is_selection(inputs: &[String]) -> bool {
    matches!(inputs, [path] if SelectionReader::open(path).is_ok())
}

/// Refuses examples longer than the model's positions, as a selection for another model may hold.
fn check_lengths(model: &Model, examples: &[TrainExample]) -> Result<(), CliError> {
    let length = |example: &TrainExample| {
        example.prompt_ids.len() + example.chosen_ids.len().max(example.rejected_ids.len())
    };
    let positions = model.config.max_position;
    match examples.iter().find(|example| length(example) > positions) {
        None => Ok(()),
        Some(example) => Err(CliError::usage(
            format!(
                "row {} has {} tokens, more than the model's {positions} positions (max_position_embeddings)",
                example.row,
                length(example)
            ),
            format!("score and select again with `--max-length {positions}`"),
        )),
    }
}

/// Examples from a selection with its weights, or from pairs.
fn read_examples(job: &TrainJob<'_>, tokenizer: &PairTokenizer) -> Result<Vec<TrainExample>, CliError> {
    if let [path] = job.data
        && let Ok(reader) = SelectionReader::open(path)
    {
        return read_selection(reader, &job.objective, tokenizer);
    }
    if matches!(job.objective, Objective::SePo { .. }) {
        return Err(CliError::usage(
            format!(
                "`{}` is no selection, and `--objective sepo` trains on selected tokens",
                job.data.join(" ")
            ),
            "make one with `sepo-cli score` and `sepo-cli select`, or train on all tokens with `--objective simpo`",
        ));
    }
    read_pairs((job.data, job.read), &job.objective, tokenizer)
}

fn read_pairs(
    (inputs, read): (&[String], &DataArgs),
    objective: &Objective,
    tokenizer: &PairTokenizer,
) -> Result<Vec<TrainExample>, CliError> {
    let pairs = PairStream::open(inputs, read, tokenizer)?.collect_all()?;
    Ok(if matches!(objective, Objective::Sft) {
        stage::chosen_only(pairs)
    } else {
        pairs.into_iter().map(stage::example).collect()
    })
}

fn read_selection(
    reader: SelectionReader,
    objective: &Objective,
    tokenizer: &PairTokenizer,
) -> Result<Vec<TrainExample>, CliError> {
    let meta = reader.meta().clone();
    say(format!("data: selection by rule `{}`, {} pairs", meta.rule, grouped(meta.n_kept)));
    let made_with = meta.scores.and_then(|scores| scores.tokenizer).map(|source| source.content_hash);
    if let (Some(made_with), Some(ours)) = (made_with, tokenizer.tokenizer_hash())
        && made_with != ours
    {
        return Err(CliError::usage(
            "the selection was made with another tokenizer than the model's, so its ids do not mean the same",
            "score with an oracle that shares the policy's tokenizer",
        ));
    }
    let nominal = matches!(objective, Objective::SePo { normalizer: Normalizer::Nominal, .. });
    if nominal && (meta.keep_chosen.is_none() || meta.keep_rejected.is_none()) {
        return Err(CliError::usage(
            format!(
                "the selection by rule `{}` keeps no fixed share, which `--normalizer nominal` divides by",
                meta.rule
            ),
            "use `--normalizer count`",
        ));
    }
    let examples = reader
        .map(|pair| {
            let pair = pair?;
            let mut example =
                TrainExample::pair(pair.row, pair.prompt_ids, pair.chosen_ids, pair.rejected_ids);
            example.chosen_nominal *= meta.keep_chosen.unwrap_or(1.0);
            example.rejected_nominal *= meta.keep_rejected.unwrap_or(1.0);
            example.chosen_weights = Some(pair.chosen_weights);
            example.rejected_weights = Some(pair.rejected_weights);
            Ok(example)
        })
        .collect::<Result<Vec<_>, CliError>>()?;
    if examples.is_empty() {
        return Err(CliError::new(Exit::Data, "the selection holds no pair", "select again, keeping more"));
    }
    Ok(examples)
}

/// The reference's log-probs for every example, those to train on kept in the run's folder.
fn add_reference(
    model: &Model,
    dir: &Path,
    examples: &mut [TrainExample],
    eval: &mut [TrainExample],
    (out, tokens_per_batch): (&Path, usize),
) -> Result<(), CliError> {
    let reference = load_model("reference", dir)?;
    let vocab = [model, &reference].map(|model| model.config.vocab);
    if vocab[0] != vocab[1] {
        return Err(CliError::usage(
            format!("the model's vocabulary has {} entries, the reference's {}", vocab[0], vocab[1]),
            "model and reference must read the same ids",
        ));
    }
    stored_reference_logps(&reference, examples, &out.join(REFERENCE_LOGPS_FILE), tokens_per_batch)?;
    reference_logps(&reference, eval, tokens_per_batch)?;
    Ok(())
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
    if outcome.progress.n_empty_pairs > 0 {
        text += &format!("\n{} pairs had nothing to compare", grouped(outcome.progress.n_empty_pairs));
    }
    if let Some(best) = &outcome.best {
        text += &format!(
            "\nbest evaluation: after step {}, {:.4}; its weights are in `{}`",
            best.step,
            best.value,
            out.join(format!("checkpoints/step-{:08}", best.step)).display()
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
