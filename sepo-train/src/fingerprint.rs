//! What makes two runs the same run.

use sepo_loss::Objective;
use sepo_model::{Backend, Cpu, Model};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::beside::{reads_divergences, reads_teacher};
use crate::examples::data_hash;
use crate::{TrainConfig, TrainData, TrainError};

/// Settings, data and starting weights, such that equal fingerprints end with equal weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// The configuration without what only decides when something is written, and the objective.
    pub(crate) config: Map<String, Value>,
    /// blake3 over the JSON of `config`.
    pub(crate) config_hash: String,
    /// blake3 over the ids, weights and reference log-probs of all examples, in their order.
    pub(crate) data_hash: String,
    /// Content hash of the weights before the first step.
    pub(crate) start_model_hash: String,
}

impl Fingerprint {
    pub(crate) fn new(
        model: &Model,
        data: &TrainData<'_>,
        objective: &Objective,
        config: &TrainConfig,
        device: &str,
    ) -> Result<Self, TrainError> {
        let mut config = identity(config, objective);
        // Other devices sum in other orders. The CPU is not named: it was the only one once.
        if device != Cpu::NAME {
            config.insert("device".to_owned(), Value::String(device.to_owned()));
        }
        if let Some(weights) = data.beside.weights {
            config.insert("step_weights".to_owned(), Value::String(weights.identity()));
        }
        if let Some(model) = data.beside.reference.filter(|_| reads_divergences(objective)) {
            config.insert("reference_model".to_owned(), Value::String(model.parameters.content_hash()));
        }
        if let Some(teacher) = data.beside.teacher.filter(|_| reads_teacher(objective)) {
            let hashes = [teacher.toward, teacher.away].map(|model| model.parameters.content_hash());
            config.insert("teacher_models".to_owned(), Value::String(hashes.join(" ")));
        }
        Ok(Self {
            config_hash: hash_json(&config),
            config,
            data_hash: data_hash(data.examples)?,
            start_model_hash: model.parameters.content_hash(),
        })
    }

    /// What differs from the other run; empty where nothing does.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut fields: Vec<String> = self
            .config
            .keys()
            .chain(other.config.keys().filter(|key| !self.config.contains_key(*key)))
            .filter(|key| self.config.get(*key) != other.config.get(*key))
            .cloned()
            .collect();
        if self.data_hash != other.data_hash {
            fields.push("data".to_owned());
        }
        if self.start_model_hash != other.start_model_hash {
            fields.push("start_model".to_owned());
        }
        fields
    }
}

/// The fields of the configuration that decide a weight, by name.
fn identity(config: &TrainConfig, objective: &Objective) -> Map<String, Value> {
    // All of them are numbers, strings or null: this cannot fail.
    let Ok(Value::Object(mut fields)) = serde_json::to_value(config) else {
        unreachable!("a configuration is a JSON object");
    };
    for without_effect in TrainConfig::WITHOUT_EFFECT {
        fields.shift_remove(without_effect);
    }
    // `{:?}` of an f64 is the shortest text that reads back as the same number.
    fields.insert("objective".to_owned(), Value::String(format!("{objective:?}")));
    fields
}

fn hash_json(fields: &Map<String, Value>) -> String {
    let text = Value::Object(fields.clone()).to_string();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_decide_weights_count() {
        let base = identity(&TrainConfig::default(), &Objective::Sft);
        let written = TrainConfig {
            save_every: Some(3),
            keep_checkpoints: 7,
            eval_every: Some(2),
            keep_best: Some(crate::BestMetric::Loss),
            loss_watchdog: 9.0,
            stop_on: vec![crate::GuardName::LossRise],
            ..TrainConfig::default()
        };
        assert_eq!(base, identity(&written, &Objective::Sft));
        let longer = TrainConfig { max_steps: Some(10), ..TrainConfig::default() };
        assert_ne!(hash_json(&base), hash_json(&identity(&longer, &Objective::Sft)));
    }
}
