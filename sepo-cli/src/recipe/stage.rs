//! The stages, where they write, and what decides their result.

use std::fmt;
use std::path::{Path, PathBuf};

use sepo_data::TemplateChoice;
use serde::Serialize;
use serde_json::{Value, json};

use super::Recipe;
use super::input::{Hashed, Input};
use super::section::joined;
use crate::exit::{CliError, Exit};

/// A stage of the pipeline; each but the first reads what the one before it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    Oracle,
    Score,
    Select,
    Train,
    Eval,
}

impl Stage {
    pub(super) const ALL: [Self; 5] = [Self::Oracle, Self::Score, Self::Select, Self::Train, Self::Eval];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Oracle => "oracle",
            Self::Score => "score",
            Self::Select => "select",
            Self::Train => "train",
            Self::Eval => "eval",
        }
    }

    /// The stage's folder in the run's.
    pub(super) fn dir(self, out: &Path) -> PathBuf {
        out.join(self.name())
    }

    /// The stages that a recipe asks for: without pairs to evaluate on, there is no evaluation.
    pub(super) fn of(recipe: &Recipe) -> Vec<Self> {
        let wanted = |stage: &Self| *stage != Self::Eval || !recipe.data.eval.is_empty();
        Self::ALL.into_iter().filter(wanted).collect()
    }

    /// Everything that is read, named as the recipe names it, or as it lies in the run's folder.
    pub(super) fn inputs(self, recipe: &Recipe) -> Vec<Input> {
        let own = |path: &str| Input::made(path, recipe.out.join(path));
        let own_model = |path: &str| Input::made_model(path, recipe.out.join(path));
        let mut inputs = match self {
            Self::Oracle => {
                let mut inputs = vec![
                    Input::data("data.inputs", &recipe.data.inputs),
                    Input::model("models.base", &recipe.base),
                ];
                inputs.extend(recipe.reference.iter().map(|dir| Input::model("models.reference", dir)));
                inputs
            }
            Self::Score => vec![
                Input::data("data.inputs", &recipe.data.inputs),
                own_model("oracle/oracle"),
                own_model("oracle/reference"),
            ],
            Self::Select => vec![own("score/scores.parquet")],
            Self::Train => {
                vec![own("select/selection.parquet"), Input::model("models.policy", &recipe.policy)]
            }
            Self::Eval => vec![
                Input::data("data.eval", &recipe.data.eval),
                own_model("train"),
                Input::model("models.policy", &recipe.policy),
            ],
        };
        let reads_text = matches!(self, Self::Oracle | Self::Score | Self::Eval);
        if let (true, TemplateChoice::File(path)) = (reads_text, &recipe.tokens.template) {
            inputs.push(Input::file("tokens.template", path));
        }
        inputs
    }

    /// The files that it has written and that others read, by content.
    pub(super) fn made(self, recipe: &Recipe) -> Result<Vec<Hashed>, CliError> {
        let file = |path: &str| Input::made(path, recipe.out.join(path));
        let model = |path: &str| Input::made_model(path, recipe.out.join(path));
        let made = match self {
            Self::Oracle => vec![model("oracle/oracle"), model("oracle/reference")],
            Self::Score => vec![file("score/scores.parquet")],
            Self::Select => vec![file("select/selection.parquet")],
            Self::Train => vec![model("train")],
            // Read by people.
            Self::Eval => Vec::new(),
        };
        Ok(made.iter().map(Input::hashed).collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Files without which the stage is not done.
    pub(super) fn outputs(self, recipe: &Recipe) -> Vec<PathBuf> {
        let files: &[&str] = match self {
            Self::Oracle => &["reference/model.safetensors", "oracle/model.safetensors"],
            Self::Score => &["scores.parquet"],
            Self::Select => &["selection.parquet"],
            Self::Train => &["model.safetensors"],
            Self::Eval => &["eval.json"],
        };
        files.iter().map(|file| self.dir(&recipe.out).join(file)).collect()
    }

    /// The resolved settings, under the names that they have in a recipe.
    pub(super) fn settings(self, recipe: &Recipe) -> Result<Value, CliError> {
        let mut tokens = recipe.tokens.clone();
        if let TemplateChoice::File(path) = &mut tokens.template {
            // Its content is an input; the folder from which the program runs must not count.
            *path = path.file_name().map(PathBuf::from).unwrap_or_default();
        }
        let tokens = to_value(&tokens)?;
        Ok(match self {
            Self::Oracle => {
                let oracle = joined([to_value(&recipe.oracle)?, to_value(&recipe.oracle_train)?]);
                json!({ "data": recipe.data.read_settings(), "tokens": tokens, "oracle": oracle })
            }
            Self::Score => {
                let score = to_value(&recipe.score)?;
                json!({ "data": recipe.data.read_settings(), "tokens": tokens, "score": score })
            }
            Self::Select => json!({ "select": to_value(&recipe.select)? }),
            Self::Train => {
                // `{:?}` of an f64 is the shortest text that reads back as the same number.
                let mut objective = json!({ "objective": format!("{:?}", recipe.objective) });
                if let Some(weights) = crate::step_weights::of(&recipe.objective_choice) {
                    objective["step_weights"] = weights.identity().into();
                }
                json!({ "train": joined([objective, to_value(&recipe.train)?]) })
            }
            Self::Eval => {
                let eval = to_value(&recipe.eval)?;
                json!({ "data": recipe.data.eval_read_settings(), "tokens": tokens, "eval": eval })
            }
        })
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) fn to_value(value: &impl Serialize) -> Result<Value, CliError> {
    serde_json::to_value(value).map_err(|error| CliError::of(Exit::Bug, error))
}
