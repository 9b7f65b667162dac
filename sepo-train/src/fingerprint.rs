//! What makes two runs the same run.

use sepo_loss::Objective;
use sepo_model::Model;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{TrainConfig, TrainExample};

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
        examples: &[TrainExample],
        objective: &Objective,
        config: &TrainConfig,
    ) -> Self {
        let config = identity(config, objective);
        Self {
            config_hash: hash_json(&config),
            config,
            data_hash: data_hash(examples),
            start_model_hash: model.parameters.content_hash(),
        }
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

fn data_hash(examples: &[TrainExample]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut list = |bytes: Option<&[u8]>| {
        // The length goes first, so that no two examples have the same bytes.
        let n_bytes = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
        hasher.update(&n_bytes.to_le_bytes());
        hasher.update(bytes.unwrap_or_default());
    };
    for example in examples {
        list(Some(&example.row.to_le_bytes()));
        for ids in [&example.prompt_ids, &example.chosen_ids, &example.rejected_ids] {
            list(Some(bytemuck::cast_slice(ids)));
        }
        for weights in [&example.chosen_weights, &example.rejected_weights] {
            list(weights.as_deref().map(bytemuck::cast_slice));
        }
        for nominal in [example.chosen_nominal, example.rejected_nominal] {
            list(Some(&nominal.to_le_bytes()));
        }
        let reference = example.reference.as_ref();
        list(reference.map(|reference| bytemuck::cast_slice(&reference.chosen)));
        list(reference.map(|reference| bytemuck::cast_slice(&reference.rejected)));
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_example_changes_the_hash() {
        let base = TrainExample::pair(1, vec![1, 2], vec![3, 4], vec![5]);
        let mut others = vec![base.clone(); 5];
        others[0].row = 2;
        others[1].chosen_ids = vec![3];
        others[1].rejected_ids = vec![4, 5];
        others[2].chosen_weights = Some(vec![1.0, 1.0]);
        others[3].reference = Some(crate::ReferenceLogps::default());
        others[4].rejected_nominal = 0.3;
        let hash = data_hash(std::slice::from_ref(&base));
        for other in others {
            assert_ne!(hash, data_hash(&[other]));
        }
        assert_eq!(hash, data_hash(&[base]));
    }

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
