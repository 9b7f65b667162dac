//! Everything of one seed: the models that all methods share, and a policy of each.

use std::path::{Path, PathBuf};

use sepo_data::planted::{PlantedResponse, Quality, span_mask};
use sepo_data::{AtomicFile, ScoredPair, ScoredResponse, SelectionReader, Span};
use sepo_loss::WeightSource;
use sepo_model::Model;
use sepo_select::{SelectConfig, select_file};
use sepo_train::{
    Beside, Teacher, TrainBackend, TrainConfig, TrainExample, reads_divergences, reads_teacher,
    reference_logps_on,
};
use serde::{Deserialize, Serialize};

use super::catalogue::{Method, Scale, Weights};
use super::measure::Measure;
use crate::args::{BenchMethodsArgs, ObjectiveArgs, ObjectiveChoice};
use crate::console::say;
use crate::exit::{CliError, Exit, io_error};
use crate::quickstart::{Data, Pipeline, Sampled, Settings, Stopped, example};

/// What a method came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) beta: f64,
    pub(super) learning_rate: f64,
    pub(super) measure: Measure,
}

/// A result on the disk, with what it was made under.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// Where: another kind of machine rounds otherwise.
    device: String,
    settings: Settings,
    objective: String,
    found: Found,
}

/// What all methods of a seed share.
pub(super) struct Seed<'b, B> {
    on: &'b B,
    settings: Settings,
    dir: PathBuf,
    data: Data,
    start: Model,
    oracle: Model,
    scored: Vec<ScoredPair>,
    /// Every pair, with the reference's log-probs.
    examples: Vec<TrainExample>,
    mean_length: f64,
    baseline: Vec<Sampled>,
    /// The reference itself on the test prompts.
    pub(super) reference: Measure,
}

impl<'b, B: TrainBackend> Seed<'b, B> {
    /// Data, base, reference, oracle, scores, and the reference's samples.
    pub(super) fn prepare(on: &'b B, seed: u64, args: &BenchMethodsArgs) -> Result<Self, Stopped> {
        let settings = Settings {
            n_base_texts: args.base_texts.get(),
            n_pairs: args.pairs.get(),
            n_tuning_prompts: args.prompts.get(),
            n_test_prompts: 2 * args.prompts.get(),
            learning_rates: args.learning_rates.clone(),
            ..Settings::new(seed)
        };
        let dir = args.out.join(format!("seed-{seed}"));
        let data = Data::make(&settings, &dir)?;
        let pipeline = Pipeline { on, settings: &settings, data: &data, out: &dir };
        let scorers = pipeline.scorers(pipeline.base()?)?;
        let (_, scored) = pipeline.score(&scorers, serde_json::Map::new())?;
        let (start, oracle) = (scorers.reference, scorers.oracle);
        let tokens = settings.policy.tokens_per_batch;
        let mut examples: Vec<TrainExample> = data.pairs.iter().map(example).collect();
        reference_logps_on(on, &start, &mut examples, tokens).map_err(CliError::from)?;
        let n_tokens: usize =
            examples.iter().map(|pair| pair.chosen_ids.len() + pair.rejected_ids.len()).sum();
        let baseline = pipeline.sample(&start, &data.test_prompts)?;
        let reference = Measure::of(on, [&baseline, &baseline], &examples, (&start, &start), tokens)?;
        let mean_length = n_tokens as f64 / (2 * examples.len()).max(1) as f64;
        Ok(Self {
            on,
            settings,
            dir,
            data,
            start,
            oracle,
            scored,
            examples,
            mean_length,
            baseline,
            reference,
        })
    }

    fn pipeline(&self) -> Pipeline<'_, B> {
        Pipeline { on: self.on, settings: &self.settings, data: &self.data, out: &self.dir }
    }

    /// A method's policy at the best of the learning rates; read back where it is there.
    pub(super) fn run(&self, method: &Method) -> Result<Found, Stopped> {
        let file = method.name.replace([',', ' '], "-").replace("--", "-");
        let path = self.dir.join("methods").join(format!("{file}.json"));
        let examples = self.weighted(method)?;
        let rewards = matches!(method.preset.weights, WeightSource::Rewards(_));
        let mean_weight = if rewards { 1.0 } else { mean_weight(&examples) };
        let scale = Scale { mean_weight, mean_length: self.mean_length };
        let (objective, beta) = method.objective(scale)?;
        let made_under = format!("{objective:?}, {:?}", method.weights);
        let device = crate::machine::device().to_owned();
        let same = |kept: &Kept| {
            kept.device == device && kept.settings == self.settings && kept.objective == made_under
        };
        if let Some(kept) = kept(&path).filter(same) {
            return Ok(kept.found);
        }
        let frozen = reads_divergences(&objective).then_some(&self.start);
        let name = method.preset.name.parse().map_err(bug)?;
        let choice = ObjectiveChoice::named(name, ObjectiveArgs::default());
        let weights = crate::step_weights::of(&choice);
        let away =
            if reads_teacher(&objective) { Some(self.pipeline().reverse_oracle(&self.start)?) } else { None };
        let teacher = away.as_ref().map(|away| Teacher { toward: &self.oracle, away });
        let beside = Beside { reference: frozen, teacher, weights: weights.as_deref() };
        let runs = self.dir.join("methods").join(&file);
        let mut best: Option<(f64, f64, Model)> = None;
        for &learning_rate in &self.settings.learning_rates {
            let config = TrainConfig { learning_rate, ..self.settings.policy.clone() };
            let name = format!("seed {}, {} at {learning_rate:e}", self.settings.seed, method.name);
            let dir = runs.join(format!("learning-rate-{learning_rate:e}"));
            let given = (&*examples, beside);
            let model = self.pipeline().policy((&name, &self.start), given, (&objective, &config), &dir)?;
            let tuning = self.pipeline().sample(&model, &self.data.tuning_prompts)?;
            let utility = tuning.iter().map(|one| one.utility).sum::<f64>();
            if best.as_ref().is_none_or(|(_, best, _)| utility > *best) {
                best = Some((learning_rate, utility, model));
            }
        }
        let Some((learning_rate, _, model)) = best else {
            return Err(CliError::usage("there is no learning rate", "give at least one").into());
        };
        let sampled = self.pipeline().sample(&model, &self.data.test_prompts)?;
        let tokens = self.settings.policy.tokens_per_batch;
        let models = (&model, &self.start);
        let samples = [&*sampled, &self.baseline];
        let measure = Measure::of(self.on, samples, &self.examples, models, tokens)?;
        let found = Found { beta, learning_rate, measure };
        keep(&path, &Kept { device, settings: self.settings.clone(), objective: made_under, found })?;
        // The result is what is wanted; checkpoints of some hundred runs are not.
        std::fs::remove_dir_all(&runs).map_err(|source| io_error(&runs, source))?;
        say(format!(
            "seed {}, {}: utility {:+.3}, reference {:+.3}",
            self.settings.seed, method.name, measure.utility, self.reference.utility
        ));
        Ok(found)
    }

    /// The pairs with the method's weights.
    fn weighted(&self, method: &Method) -> Result<Vec<TrainExample>, CliError> {
        let mut examples = self.examples.clone();
        match &method.weights {
            Weights::None => {}
            Weights::Planted => {
                for ((example, truth), scored) in
                    examples.iter_mut().zip(&self.data.planted).zip(&self.scored)
                {
                    example.chosen_weights = Some(annotated(&truth.chosen, &scored.chosen, Quality::Good));
                    example.rejected_weights =
                        Some(annotated(&truth.rejected, &scored.rejected, Quality::Bad));
                }
            }
            Weights::Selected(config) => {
                let (shares, pairs) = selected(&self.dir, config)?;
                for (row, [chosen, rejected]) in pairs {
                    let known = examples.iter_mut().find(|example| example.row == row);
                    let Some(example) = known else { continue };
                    example.chosen_nominal *= shares[0];
                    example.rejected_nominal *= shares[1];
                    example.chosen_weights = Some(chosen);
                    example.rejected_weights = Some(rejected);
                }
                // A pair that was left out of the selection is not learned from.
                examples.retain(|example| example.chosen_weights.is_some());
            }
        }
        Ok(examples)
    }
}

/// Whole annotated spans of the quality that is asked for.
fn annotated(truth: &PlantedResponse, scored: &ScoredResponse, quality: Quality) -> Vec<f32> {
    let spans: &[Span] = scored.spans.as_deref().unwrap_or_default();
    let inside = span_mask(spans, truth);
    inside.into_iter().map(|found| if found == Some(quality) { 1.0 } else { 0.0 }).collect()
}

/// Weights of the two responses of a pair, by its row.
type RowWeights = (u64, [Vec<f32>; 2]);

/// The shares that a selection keeps, and the weights of every pair of it.
fn selected(dir: &Path, config: &SelectConfig) -> Result<([f64; 2], Vec<RowWeights>), CliError> {
    let file = dir.join("selection.parquet");
    select_file(dir.join("scores.parquet"), &file, config)?;
    let reader = SelectionReader::open(&file)?;
    let shares = [reader.meta().keep_chosen, reader.meta().keep_rejected].map(|share| share.unwrap_or(1.0));
    let pairs = reader.map(|pair| {
        let pair = pair?;
        Ok((pair.row, [pair.chosen_weights, pair.rejected_weights]))
    });
    Ok((shares, pairs.collect::<Result<_, CliError>>()?))
}

/// Over all response tokens.
fn mean_weight(examples: &[TrainExample]) -> f64 {
    let (mut sum, mut n) = (0.0, 0_usize);
    for example in examples {
        for (ids, weights) in [
            (&example.chosen_ids, &example.chosen_weights),
            (&example.rejected_ids, &example.rejected_weights),
        ] {
            n += ids.len();
            sum += match weights {
                Some(weights) => weights.iter().map(|weight| f64::from(*weight)).sum::<f64>(),
                None => ids.len() as f64,
            };
        }
    }
    sum / n.max(1) as f64
}

fn kept(path: &Path) -> Option<Kept> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

fn keep(path: &Path, kept: &Kept) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(kept).map_err(|error| CliError::of(Exit::Bug, error))?;
    AtomicFile::replace(path, text + "\n").map_err(|source| io_error(path, source))
}

fn bug(message: String) -> CliError {
    CliError::new(Exit::Bug, message, "report this")
}
