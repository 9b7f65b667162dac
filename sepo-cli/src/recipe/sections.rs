//! All sections of a recipe, and the keys that each has.

use std::collections::HashSet;

use sepo_loss::CompositionForm;
use sepo_select::SelectConfig;
use sepo_train::TrainConfig;
use serde::Serialize;
use serde_json::Value;

use super::section::{
    DataSection, EvalSection, HashesSection, ModelsSection, ObjectiveSection, OracleSection, RunSection,
    ScoreSection, TokensSection, TrainSection,
};
use crate::args::ObjectiveArgs;

/// A section's name and its keys.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) keys: fn() -> Vec<String>,
}

/// All sections, in the order of the pipeline.
pub(super) const SECTIONS: [Section; 11] = [
    Section { name: "run", keys: names_of::<RunSection> },
    Section { name: "data", keys: names_of::<DataSection> },
    Section { name: "tokens", keys: names_of::<TokensSection> },
    Section { name: "models", keys: names_of::<ModelsSection> },
    Section { name: "oracle", keys: || [names_of::<OracleSection>(), names_of::<TrainConfig>()].concat() },
    Section { name: "score", keys: names_of::<ScoreSection> },
    Section { name: "select", keys: names_of::<SelectConfig> },
    Section {
        name: "train",
        keys: || {
            [names_of::<TrainSection>(), names_of::<ObjectiveArgs>(), names_of::<TrainConfig>()].concat()
        },
    },
    OBJECTIVE,
    Section { name: "eval", keys: names_of::<EvalSection> },
    Section { name: "hashes", keys: names_of::<HashesSection> },
];

/// The loss, by choices.
pub(super) const OBJECTIVE: Section = Section { name: "objective", keys: of_objective };

fn of_objective() -> Vec<String> {
    let mut keys = [names_of::<ObjectiveSection>(), choices(), names_of::<ObjectiveArgs>()].concat();
    let mut seen = HashSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys
}

/// The choices of a composition.
pub(super) fn choices() -> Vec<String> {
    CompositionForm::KEYS.map(str::to_owned).to_vec()
}

/// Whether the value of this key is one path or several.
pub(super) fn holds_paths(key: &str) -> bool {
    ["run.out", "data.inputs", "data.eval", "models.base", "models.reference", "models.policy"].contains(&key)
}

/// The names of a configuration's fields.
pub(super) fn names_of<T: Default + Serialize>() -> Vec<String> {
    match serde_json::to_value(T::default()) {
        Ok(Value::Object(fields)) => fields.into_iter().map(|(name, _)| name).collect(),
        _ => Vec::new(),
    }
}
