//! Every policy at the best of a small grid of learning rates.

use std::path::{Path, PathBuf};

use sepo_data::SelectionReader;
use sepo_model::Model;
use sepo_train::{Beside, ReferenceLogps, TrainBackend, TrainConfig, TrainExample, reference_logps_on};
use serde::{Deserialize, Serialize};

use super::models::example;
use super::sample::Judgement;
use super::settings::{Method, methods};
use super::{Pipeline, Stopped, selection_file};
use crate::exit::CliError;

/// One method's best policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PolicyResult {
    pub(crate) key: String,
    pub(crate) title: String,
    /// The learning rate with the highest mean utility on the tuning prompts.
    pub(crate) learning_rate: f64,
    /// Mean utility on the tuning prompts, for every learning rate of the grid.
    pub(crate) grid: Vec<(f64, f64)>,
    /// On the test prompts.
    pub(crate) test: Judgement,
}

/// Folder of a policy's run at one learning rate.
pub(crate) fn policy_dir(out: &Path, key: &str, learning_rate: f64) -> PathBuf {
    out.join("policies").join(key).join(format!("learning-rate-{learning_rate:e}"))
}

impl<B: TrainBackend> Pipeline<'_, B> {
    /// Trains and judges all policies; the best of each is written as a model folder.
    pub(super) fn policies(&self, reference: &Model) -> Result<Vec<PolicyResult>, Stopped> {
        let Self { on, settings, data, out } = *self;
        let mut all: Vec<TrainExample> = data.pairs.iter().map(example).collect();
        reference_logps_on(on, reference, &mut all, settings.policy.tokens_per_batch)
            .map_err(CliError::from)?;
        methods(settings)
            .iter()
            .map(|method| self.best_of_grid(reference, method, &examples(method, &all, out)?))
            .collect()
    }

    fn best_of_grid(
        &self,
        reference: &Model,
        method: &Method,
        examples: &[TrainExample],
    ) -> Result<PolicyResult, Stopped> {
        let Self { settings, data, out, .. } = *self;
        let objective = method.objective(settings);
        let mut grid = Vec::new();
        let mut best: Option<(f64, f64, Model)> = None;
        let root = out.join("policies").join(method.key);
        for &learning_rate in &settings.learning_rates {
            let config = TrainConfig { learning_rate, ..settings.policy.clone() };
            let name = format!("{} at {learning_rate:e}", method.key);
            let dir = policy_dir(out, method.key, learning_rate);
            let given = (examples, Beside::default());
            let model = self.policy((&name, reference), given, (&objective, &config), &dir)?;
            let utility = self.sample_and_judge(&model, &data.tuning_prompts)?.utility.mean;
            grid.push((learning_rate, utility));
            if best.as_ref().is_none_or(|(_, best, _)| utility > *best) {
                best = Some((learning_rate, utility, model));
            }
        }
        let Some((learning_rate, _, model)) = best else {
            return Err(CliError::usage("`learning_rates` is empty", "give at least one").into());
        };
        model.save(&root, Some(&data.tokenizer_dir)).map_err(CliError::from)?;
        let test = self.sample_and_judge(&model, &data.test_prompts)?;
        let (key, title) = (method.key.to_owned(), method.title.to_owned());
        Ok(PolicyResult { key, title, learning_rate, grid, test })
    }
}

/// The pairs with the weights of the method's selection; all tokens where it has none.
fn examples(method: &Method, all: &[TrainExample], out: &Path) -> Result<Vec<TrainExample>, CliError> {
    let Some(rule) = method.rule else { return Ok(all.to_vec()) };
    SelectionReader::open(selection_file(out, rule))?
        .map(|pair| {
            let pair = pair?;
            Ok(TrainExample {
                chosen_weights: Some(pair.chosen_weights),
                rejected_weights: Some(pair.rejected_weights),
                // Selected tokens are learned without a reference.
                reference: None::<ReferenceLogps>,
                ..TrainExample::pair(pair.row, pair.prompt_ids, pair.chosen_ids, pair.rejected_ids)
            })
        })
        .collect()
}
