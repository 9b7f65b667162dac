//! `sepo-cli classify train`

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use sepo_data::{SelectionReader, content_hash};
use sepo_model::Model;
use sepo_train::{
    ClassifierReport, ClassifierStep, Footprint, HeldExamples, Spill, TrainBackend, TrainConfig,
    TrainExample, evaluate_classifier, train_classifier,
};
use serde::Serialize;

use crate::args::ClassifyTrainArgs;
use crate::command::stage::other_hash;
use crate::console::{grouped, number, percent, result, say};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::machine::{OnDevice, on_device};
use crate::memory::Memory;
use crate::model_dir::{load_model, read_config};
use crate::provenance::{self, ClassifierSettings, OnChange, Origin, counts};
use crate::{claim, examples};

/// What training came to.
#[derive(Debug, Serialize)]
pub(crate) struct Classified {
    steps: u64,
    /// Mean cross-entropy of the last step, in nats.
    last_loss: Option<f64>,
    pairs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval: Option<ClassifierReport>,
}

/// Everything that decides a classifier.
#[derive(Debug)]
pub(crate) struct ClassifyJob<'a> {
    /// Frozen model folder.
    pub(crate) model: &'a Path,
    /// `selection.parquet` whose weights are labels.
    pub(crate) data: &'a Path,
    /// Labels to measure it on.
    pub(crate) eval_data: Option<&'a Path>,
    pub(crate) train: TrainConfig,
    pub(crate) memory: Memory,
    /// What happens where an input is not what its record says.
    pub(crate) on_change: OnChange,
    /// Folder to write.
    pub(crate) out: &'a Path,
}

pub(super) fn run(args: &ClassifyTrainArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    let job = ClassifyJob {
        model: &args.model,
        data: &args.data,
        eval_data: args.eval_data.as_deref(),
        train: args.config(),
        memory: args.memory.memory(),
        on_change: args.change.on_change(),
        out: &args.out,
    };
    match make(&job)? {
        Ok(made) => {
            result(args.machine.form(), &made, |made| describe(made, &args.out))?;
            Ok(Exit::Done)
        }
        Err(exit) => Ok(exit),
    }
}

/// Trains the head and writes it; an exit code where it was stopped.
pub(crate) fn make(job: &ClassifyJob<'_>) -> Result<Result<Classified, Exit>, CliError> {
    on_device(job.train.dtype, job)
}

impl OnDevice for &ClassifyJob<'_> {
    type Output = Result<Result<Classified, Exit>, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        learn(on, self)
    }
}

fn learn(on: &impl TrainBackend, job: &ClassifyJob<'_>) -> Result<Result<Classified, Exit>, CliError> {
    let (config, out) = (&job.train, job.out);
    config.check()?;
    if out.join("config.json").is_file() {
        return Err(CliError::usage(
            format!("`{}` holds a model, and its record would be written over", out.display()),
            "name a folder of its own with `--out`",
        ));
    }
    let model_config = read_config(job.model)?;
    let footprint = Footprint::inference(&model_config, config.tokens_per_batch, config.tokens_per_batch);
    job.memory.check("classifying", &[footprint])?;
    let model = load_model("model", job.model)?;
    let mut origin = Origin::beside(out, job.on_change);
    origin.model("model", job.model)?;
    origin.file("data", job.data)?;
    if let Some(path) = job.eval_data {
        origin.file("eval-data", path)?;
    }
    let spill = job.memory.spill(out.parent().unwrap_or(Path::new("")));
    let held = labelled((job.data, "data"), (job.model, &model), &mut origin, spill.clone())?;
    let eval = match job.eval_data {
        Some(path) => Some(labelled((path, "eval-data"), (job.model, &model), &mut origin, spill)?),
        None => None,
    };
    let _lock = claim::folder(out, None)?;
    let bar = bar();
    let mut last: Option<ClassifierStep> = None;
    let learned = train_classifier(on, &model, held.examples(), config, interrupted(), |step| {
        bar.set_length(step.total_steps);
        bar.set_position(step.step);
        bar.set_message(number(step.loss));
        last = Some(step);
    })?;
    bar.finish_and_clear();
    let Some(classifier) = learned else {
        say("stopped; nothing was written, the same command begins anew");
        return Ok(Err(Exit::Interrupted));
    };
    let eval = match &eval {
        Some(held) => Some(evaluate_classifier(on, &model, &classifier, held.examples(), config)?),
        None => None,
    };
    classifier.save(out)?;
    let n_pairs = held.examples().len() as u64;
    let steps = last.map_or(0, |step| step.total_steps);
    let settings = ClassifierSettings { train: config.clone() };
    let record = origin.into_record("classify train", Some(config.seed), &settings)?;
    provenance::classifier_folder(out, record, counts([("steps", steps), ("pairs", n_pairs)]))?;
    Ok(Ok(Classified { steps, last_loss: last.and_then(|step| step.loss), pairs: n_pairs, eval }))
}

/// The pairs of a selection, whose weights are labels.
fn labelled(
    (path, role): (&Path, &str),
    (dir, model): (&Path, &Model),
    origin: &mut Origin,
    spill: Spill,
) -> Result<HeldExamples, CliError> {
    let reader = SelectionReader::open(path)?;
    let tokenizer = reader.meta().scores.as_ref().and_then(|scores| scores.tokenizer.clone());
    let ours = dir.join("tokenizer.json");
    if let Some(recorded) = tokenizer.filter(|_| ours.is_file()) {
        let differences = other_hash("tokenizer.json", &recorded.content_hash, &content_hash(&ours)?);
        let what = "the labels are of another tokenizer's tokens than the model's, so their ids do not mean the same";
        origin.hold((what, role, path), differences)?;
    }
    let positions = model.config.max_position;
    let labelled = reader.map(|pair| {
        let pair = pair?;
        let example = TrainExample {
            chosen_weights: Some(pair.chosen_weights),
            rejected_weights: Some(pair.rejected_weights),
            ..TrainExample::pair(pair.row, pair.prompt_ids, pair.chosen_ids, pair.rejected_ids)
        };
        let n_tokens = example.prompt_ids.len() + example.chosen_ids.len().max(example.rejected_ids.len());
        if n_tokens > positions {
            return Err(CliError::usage(
                format!(
                    "row {} has {n_tokens} tokens, more than the model's {positions} positions (max_position_embeddings)",
                    example.row
                ),
                format!("import the labels again with `--max-length {positions}`"),
            ));
        }
        Ok(example)
    });
    let held = examples::collect(labelled, spill)?;
    if held.examples().is_empty() {
        return Err(CliError::new(
            Exit::Data,
            format!("`{}` holds no pair", path.display()),
            "import labels with `sepo-cli weights import --labels`",
        ));
    }
    say(format!("labels: {} pairs of `{}`", grouped(held.examples().len() as u64), path.display()));
    Ok(held)
}

fn describe(made: &Classified, out: &Path) -> String {
    let mut text = format!(
        "{} steps over {} pairs, last loss {}; classifier in `{}`",
        grouped(made.steps),
        grouped(made.pairs),
        number(made.last_loss),
        out.display()
    );
    if let Some(eval) = &made.eval {
        text += &format!(
            "\nevaluation: {} tokens, mean label {}, loss {}, balanced accuracy {}, AUROC {}",
            grouped(eval.n_tokens),
            number(eval.mean_label),
            number(eval.loss),
            percent(eval.balanced_accuracy),
            number(eval.auroc)
        );
    }
    text
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("classify {bar:30} {pos}/{len} loss {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
