//! `sepo-cli classify train`

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use sepo_data::{SelectionReader, content_hash};
use sepo_model::Model;
use sepo_train::{
    ClassifierReport, ClassifierStep, Footprint, HeldExamples, Spill, TrainBackend, TrainConfig,
    TrainExample, evaluate_classifier, train_classifier,
};
use serde::{Deserialize, Serialize};

use crate::args::ClassifyTrainArgs;
use crate::command::stage::other_hash;
use crate::console::{grouped, number, percent, result, say};
use crate::exit::{CliError, Exit};
use crate::interrupt::interrupted;
use crate::machine::{OnDevice, on_device};
use crate::model_dir::{load_model, read_config};
use crate::provenance::{self, Origin, counts};
use crate::{claim, examples};

/// What training came to.
#[derive(Debug, Serialize)]
struct Classified {
    steps: u64,
    /// Mean cross-entropy of the last step, in nats.
    last_loss: Option<f64>,
    pairs: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval: Option<ClassifierReport>,
}

/// Every setting, as the record keeps them.
#[derive(Debug, Serialize, Deserialize)]
struct ClassifySettings {
    train: TrainConfig,
}

pub(super) fn run(args: &ClassifyTrainArgs) -> Result<Exit, CliError> {
    crate::machine::prepare(&args.machine)?;
    on_device(args.config().dtype, args)
}

impl OnDevice for &ClassifyTrainArgs {
    type Output = Result<Exit, CliError>;

    fn run<B: TrainBackend + 'static>(self, on: &B) -> Self::Output {
        learn(on, self)
    }
}

fn learn(on: &impl TrainBackend, args: &ClassifyTrainArgs) -> Result<Exit, CliError> {
    let config = args.config();
    config.check()?;
    if args.out.join("config.json").is_file() {
        return Err(CliError::usage(
            format!("`{}` holds a model, and its record would be written over", args.out.display()),
            "name a folder of its own with `--out`",
        ));
    }
    let model_config = read_config(&args.model)?;
    let footprint = Footprint::inference(&model_config, config.tokens_per_batch, config.tokens_per_batch);
    let memory = args.memory.memory();
    memory.check("classifying", &[footprint])?;
    let model = load_model("model", &args.model)?;
    let mut origin = Origin::beside(&args.out, args.change.on_change());
    origin.model("model", &args.model)?;
    origin.file("data", &args.data)?;
    if let Some(path) = &args.eval_data {
        origin.file("eval-data", path)?;
    }
    let spill = memory.spill(args.out.parent().unwrap_or(Path::new("")));
    let held = labelled((&args.data, "data"), (&args.model, &model), &mut origin, spill.clone())?;
    let eval = match &args.eval_data {
        Some(path) => Some(labelled((path, "eval-data"), (&args.model, &model), &mut origin, spill)?),
        None => None,
    };
    let _lock = claim::folder(&args.out, None)?;
    let bar = bar();
    let mut last: Option<ClassifierStep> = None;
    let learned = train_classifier(on, &model, held.examples(), &config, interrupted(), |step| {
        bar.set_length(step.total_steps);
        bar.set_position(step.step);
        bar.set_message(number(step.loss));
        last = Some(step);
    })?;
    bar.finish_and_clear();
    let Some(classifier) = learned else {
        say("stopped; nothing was written, the same command begins anew");
        return Ok(Exit::Interrupted);
    };
    let eval = match &eval {
        Some(held) => Some(evaluate_classifier(on, &model, &classifier, held.examples(), &config)?),
        None => None,
    };
    classifier.save(&args.out)?;
    let n_pairs = held.examples().len() as u64;
    let steps = last.map_or(0, |step| step.total_steps);
    let record = origin.into_record("classify", Some(config.seed), &ClassifySettings { train: config })?;
    provenance::classifier_folder(&args.out, record, counts([("steps", steps), ("pairs", n_pairs)]))?;
    let made = Classified { steps, last_loss: last.and_then(|step| step.loss), pairs: n_pairs, eval };
    result(args.machine.form(), &made, |made| describe(made, &args.out))?;
    Ok(Exit::Done)
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
