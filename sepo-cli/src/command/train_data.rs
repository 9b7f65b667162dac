//! What `sepo-cli train` learns from: a selection with its weights, or pairs, with a reference's log-probs where needed.

use std::path::Path;
use std::sync::Arc;

use sepo_data::{ArtifactError, PairTokenizer, SelectionMeta, SelectionReader, TokenizedPair};
use sepo_loss::{Objective, Reduction, WeightSource};
use sepo_model::{Backend, Model};
use sepo_oracle::REFERENCE_LOGPS_FILE;
use sepo_train::{HeldExamples, Spill, TrainExample};

use super::score_identity::held_out;
use super::stage;
use crate::args::{DataArgs, ObjectiveChoice};
use crate::console::{grouped, say};
use crate::examples;
use crate::exit::{CliError, Exit};
use crate::model_dir::load_model;
use crate::pairs::PairStream;
use crate::provenance::Origin;

/// How inputs become examples.
pub(super) struct ExampleReader<'a> {
    pub(super) objective: &'a Objective,
    /// The same as it was asked for.
    pub(super) choice: &'a ObjectiveChoice,
    pub(super) tokenizer: &'a Arc<PairTokenizer>,
    /// Positions that the model has.
    pub(super) positions: usize,
    /// Where examples lie.
    pub(super) spill: Spill,
}

/// What the weights of a selection come to.
#[derive(Debug, Default)]
struct WeightTotals {
    n_tokens: u64,
    n_weighted: u64,
    n_empty_sides: u64,
    sum: f64,
}

impl WeightTotals {
    /// Adds one response.
    fn add(&mut self, weights: &[f32]) {
        let n_weighted = weights.iter().filter(|weight| **weight != 0.0).count() as u64;
        self.n_tokens += weights.len() as u64;
        self.n_weighted += n_weighted;
        self.n_empty_sides += u64::from(n_weighted == 0);
        self.sum += weights.iter().map(|weight| f64::from(*weight)).sum::<f64>();
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of tokens are far below 2^52")]
    fn describe(&self, objective: &Objective) -> String {
        let n = self.n_tokens.max(1) as f64;
        let mean = self.sum / n;
        let mut text = format!(
            "weights: {} of {} response tokens have one ({:.1} %), mean {mean:.4}",
            grouped(self.n_weighted),
            grouped(self.n_tokens),
            100.0 * self.n_weighted as f64 / n
        );
        if let Some(loss) = objective.composition() {
            text += &format!("; effective beta {:.4}", loss.effective_beta(mean));
        }
        if self.n_empty_sides > 0 {
            text += &format!("; {} responses have none", grouped(self.n_empty_sides));
        }
        text
    }
}

/// Whether the one input is a selection.
pub(super) fn is_selection(inputs: &[String]) -> bool {
    matches!(inputs, [path] if SelectionReader::open(path).is_ok())
}

/// Refuses the one input that is no selection because it is not there, or no Parquet file though it is called one.
fn check_readable(inputs: &[String]) -> Result<(), CliError> {
    let [path] = inputs else { return Ok(()) };
    let is_parquet = Path::new(path).extension().is_some_and(|extension| extension == "parquet");
    match SelectionReader::open(path) {
        Err(error @ ArtifactError::Read { .. }) => Err(error.into()),
        Err(
            error @ (ArtifactError::Parquet { .. }
            | ArtifactError::Bounds { .. }
            | ArtifactError::Meta { .. }),
        ) if is_parquet => Err(error.into()),
        _ => Ok(()),
    }
}

impl ExampleReader<'_> {
    /// Examples from a selection with its weights, or from pairs.
    pub(super) fn read(&self, inputs: &[String], read: &DataArgs) -> Result<HeldExamples, CliError> {
        if let [path] = inputs
            && let Ok(reader) = SelectionReader::open(path)
        {
            check_held_out(reader.meta(), read)?;
            return self.read_selection(reader);
        }
        self.read_pairs(inputs, read)
    }

    /// Refuses what is no selection, where the objective needs one.
    pub(super) fn check_input(&self, inputs: &[String]) -> Result<(), CliError> {
        if is_selection(inputs) {
            return Ok(());
        }
        let source = self.choice.source();
        if let WeightSource::Selection(rule) | WeightSource::Rewards(rule) = source {
            check_readable(inputs)?;
            let inputs = inputs.join(" ");
            let what = if matches!(source, WeightSource::Rewards(_)) {
                "reads rewards of tokens"
            } else {
                "trains on selected or weighted tokens"
            };
            let help = match rule {
                "sepo" => "make one with `sepo-cli score` and `sepo-cli select`, or train on all tokens with `--objective simpo`".to_owned(),
                "weights import" => "make one from annotations with `sepo-cli weights import`".to_owned(),
                rule => format!("make one with `sepo-cli score` and `sepo-cli select --rule {rule}`"),
            };
            return Err(CliError::usage(
                format!("`{inputs}` is no selection, and {} {what}", self.choice.words()),
                help,
            ));
        }
        Ok(())
    }

    /// Examples from pairs, every token counted.
    pub(super) fn read_pairs(&self, inputs: &[String], read: &DataArgs) -> Result<HeldExamples, CliError> {
        let example = |pair: TokenizedPair| {
            self.fitting(if matches!(self.objective, Objective::Sft) {
                stage::chosen_only(pair)
            } else {
                stage::example(pair)
            })
        };
        let pairs = PairStream::open(inputs, read, self.tokenizer, &self.spill)?;
        examples::of_pairs(pairs, self.spill.clone(), example)
    }

    fn read_selection(&self, reader: SelectionReader) -> Result<HeldExamples, CliError> {
        let meta = reader.meta().clone();
        say(format!("data: selection by rule `{}`, {} pairs", meta.rule, grouped(meta.n_kept)));
        self.check_share(&meta)?;
        let mut totals = WeightTotals::default();
        let selected = reader.map(|pair| {
            let pair = pair?;
            totals.add(&pair.chosen_weights);
            totals.add(&pair.rejected_weights);
            let mut example =
                TrainExample::pair(pair.row, pair.prompt_ids, pair.chosen_ids, pair.rejected_ids);
            example.chosen_nominal *= meta.keep_chosen.unwrap_or(1.0);
            example.rejected_nominal *= meta.keep_rejected.unwrap_or(1.0);
            example.chosen_weights = Some(pair.chosen_weights);
            example.rejected_weights = Some(pair.rejected_weights);
            self.fitting(example)
        });
        let held = examples::collect(selected, self.spill.clone())?;
        say(totals.describe(self.objective));
        if held.examples().is_empty() {
            return Err(CliError::new(
                Exit::Data,
                "the selection holds no pair",
                "select again, keeping more",
            ));
        }
        Ok(held)
    }

    /// Refuses a selection of other ids, unless they are accepted.
    pub(super) fn check_tokenizer(&self, inputs: &[String], origin: &mut Origin) -> Result<(), CliError> {
        let [path] = inputs else { return Ok(()) };
        let Ok(reader) = SelectionReader::open(path) else { return Ok(()) };
        let made_with = reader.meta().scores.as_ref().and_then(|scores| scores.tokenizer.as_ref());
        let (Some(made_with), Some(ours)) = (made_with, self.tokenizer.tokenizer_hash()) else {
            return Ok(());
        };
        let differences = stage::other_hash("tokenizer.json", &made_with.content_hash, ours);
        let what =
            "the selection was made with another tokenizer than the model's, so its ids do not mean the same";
        origin.hold((what, "data", Path::new(path)), differences).map_err(|_| {
            CliError::usage(
                what,
                "carry it over with `sepo-cli weights project`, or score with an oracle that shares the policy's tokenizer; where both give the same ids, `--accept-changed` goes on and records that",
            )
        })
    }

    /// Refuses a selection without the share that the objective divides by.
    fn check_share(&self, meta: &SelectionMeta) -> Result<(), CliError> {
        let nominal = divides_by_share(self.objective);
        if nominal && (meta.keep_chosen.is_none() || meta.keep_rejected.is_none()) {
            let (divides, help) = if self.choice.is_composed() {
                ("a `reduction` of `nominal`", "compose with `reduction = \"weight-sum\"`")
            } else {
                ("`--normalizer nominal`", "use `--normalizer count`")
            };
            return Err(CliError::usage(
                format!(
                    "the selection by rule `{}` keeps no fixed share, which {divides} divides by",
                    meta.rule
                ),
                help,
            ));
        }
        Ok(())
    }

    /// Refuses an example longer than the model's positions, as a selection for another model may hold.
    fn fitting(&self, example: TrainExample) -> Result<TrainExample, CliError> {
        let n_tokens = example.prompt_ids.len() + example.chosen_ids.len().max(example.rejected_ids.len());
        let positions = self.positions;
        if n_tokens <= positions {
            return Ok(example);
        }
        Err(CliError::usage(
            format!(
                "row {} has {n_tokens} tokens, more than the model's {positions} positions (max_position_embeddings)",
                example.row
            ),
            format!("score and select again with `--max-length {positions}`"),
        ))
    }
}

/// Whether the objective divides by the share of tokens that a selection keeps.
pub(crate) fn divides_by_share(objective: &Objective) -> bool {
    objective.composition().is_some_and(|loss| loss.reduction == Reduction::Nominal)
}

/// Refuses a selection that may hold pairs which are to be held out: it has ids only, and no text that could tell.
fn check_held_out(meta: &SelectionMeta, read: &DataArgs) -> Result<(), CliError> {
    let Some((fraction, _)) = read.part else { return Ok(()) };
    let share = fraction.get();
    let made_with = meta.scores.as_ref().and_then(held_out);
    if made_with.is_some_and(|made_with| made_with >= share) {
        return Ok(());
    }
    let message = match made_with {
        None => {
            format!("the selection was made of all pairs, and `--eval-fraction {share}` is to hold some out")
        }
        Some(less) => format!(
            "the selection was made with `--eval-fraction {less}`, and `--eval-fraction {share}` holds out more"
        ),
    };
    let help = format!("score and select again with `sepo-cli score --eval-fraction {share}`");
    Err(CliError::usage(message, help))
}

/// Examples to train on and to measure on, with the log-probs of the reference in `dir`; those of the former are kept in
/// the run's folder `out`.
pub(super) fn add_reference(
    on: &impl Backend,
    (model, dir): (&Model, &Path),
    [train, eval]: [HeldExamples; 2],
    (out, tokens_per_batch): (&Path, usize),
    spill: &Spill,
) -> Result<Result<[HeldExamples; 2], Exit>, CliError> {
    let reference = load_model("reference", dir)?;
    let vocab = [model, &reference].map(|model| model.config.vocab);
    if vocab[0] != vocab[1] {
        return Err(CliError::usage(
            format!("the model's vocabulary has {} entries, the reference's {}", vocab[0], vocab[1]),
            "model and reference must read the same ids",
        ));
    }
    let stored = (&*out.join(REFERENCE_LOGPS_FILE), tokens_per_batch);
    let train =
        match examples::with_stored_reference(on, &reference, train.examples(), stored, spill.clone())? {
            Ok(train) => train,
            Err(exit) => return Ok(Err(exit)),
        };
    let eval = examples::with_reference(on, &reference, eval.examples(), tokens_per_batch, spill.clone())?;
    Ok(Ok([train, eval]))
}
