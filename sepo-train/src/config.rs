//! What a run is: every number that decides the weights it ends with, and a few that do not.

use sepo_model::Dtype;
use serde::{Deserialize, Serialize};

use crate::{GuardName, TrainError};

/// Shape of the learning rate after the warm-up; see [`Schedule`](crate::Schedule).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheduler {
    /// Stays at its peak.
    Constant,
    /// Falls in a straight line to 0.
    Linear,
    /// Falls along half a cosine to 0.
    #[default]
    Cosine,
}

/// What a forward pass keeps for its backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationPolicy {
    /// Everything: fastest.
    #[default]
    Kept,
    /// Block inputs only; blocks are run again in the backward pass, about a third more time for far less memory.
    Recomputed,
}

/// Which evaluation's weights are the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BestMetric {
    /// The smallest loss.
    Loss,
    /// The largest share of pairs whose chosen response has the larger reward; where the objective has no rewards, the
    /// larger log-prob.
    Accuracy,
}

/// Settings of [`train`](crate::train()).
///
/// Unknown keys are an error when it is read from a file. All fields but those of
/// [`WITHOUT_EFFECT`](Self::WITHOUT_EFFECT) belong to the identity of a run: a run resumes only where they are unchanged.
///
/// # Examples
///
/// ```
/// let config: sepo_train::TrainConfig = serde_json::from_str(r#"{"learning_rate": 1e-5, "scheduler": "linear"}"#)?;
/// assert_eq!(config.batch_size, 32);
/// config.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Peak learning rate; 0 runs without moving a weight.
    pub learning_rate: f64,
    /// Pairs (or texts) that one optimizer step averages over.
    pub batch_size: usize,
    /// Most tokens that one forward pass holds. An example that is longer by itself is run alone.
    pub tokens_per_batch: usize,
    /// Passes over the data; a fraction stops within a pass.
    pub epochs: f64,
    /// Number of steps, whatever `epochs` says.
    pub max_steps: Option<u64>,
    /// Learning rate after the warm-up.
    pub scheduler: Scheduler,
    /// Share of all steps in which the learning rate rises from 0, in `0.0..=1.0`.
    pub warmup_ratio: f64,
    /// Decoupled weight decay (multiplied by the learning rate) of matrices; norms and biases have none.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub adam_beta1: f64,
    /// Decay of the second moment.
    pub adam_beta2: f64,
    /// Added to the root of the second moment.
    pub adam_eps: f64,
    /// Largest Euclidean norm of the whole gradient; a longer one is scaled down to it.
    pub max_grad_norm: Option<f64>,
    /// Decides the order of the examples.
    pub seed: u64,
    /// Steps between two checkpoints; the last step always writes one.
    pub save_every: Option<u64>,
    /// Checkpoints that stay; older ones are removed once a newer one is complete. At least 1.
    pub keep_checkpoints: usize,
    /// Steps between two evaluations of the evaluation examples; the last step always makes one.
    pub eval_every: Option<u64>,
    /// Keeps the checkpoint of the best evaluation besides the newest ones; an evaluation that is better than all before it
    /// is followed by a checkpoint.
    pub keep_best: Option<BestMetric>,
    /// Rise of the smoothed loss over its best that is warned of, as a share of the loss that the run began with.
    pub loss_watchdog: f64,
    /// Guards that stop the run, with a checkpoint, where they would only warn.
    pub stop_on: Vec<GuardName>,
    /// Memory against time.
    pub activations: ActivationPolicy,
    /// On the CPU of the policy's matrix products; a reference's are `f32` there. On a GPU of all numbers but sums, moments and
    /// the weights that the optimizer moves, of a reference, too.
    pub dtype: Dtype,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            learning_rate: 1e-6,
            batch_size: 32,
            tokens_per_batch: 4096,
            epochs: 1.0,
            max_steps: None,
            scheduler: Scheduler::Cosine,
            warmup_ratio: 0.1,
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_eps: 1e-8,
            max_grad_norm: Some(1.0),
            seed: 0,
            save_every: None,
            keep_checkpoints: 2,
            eval_every: None,
            keep_best: None,
            loss_watchdog: 0.5,
            stop_on: Vec::new(),
            activations: ActivationPolicy::Kept,
            dtype: Dtype::F32,
        }
    }
}

impl TrainConfig {
    /// Fields that decide when something is written or said, and no weight.
    pub const WITHOUT_EFFECT: [&str; 6] =
        ["save_every", "keep_checkpoints", "eval_every", "keep_best", "loss_watchdog", "stop_on"];

    /// Nothing, where every field is in its range.
    ///
    /// # Errors
    ///
    /// * [`TrainError::InvalidConfig`] names the first field that is not, its value and its range.
    pub fn check(&self) -> Result<(), TrainError> {
        let at_least_one = |field, value: Option<u64>| match value {
            Some(0) => Err(invalid(field, 0.0, "1 or more")),
            _ => Ok(()),
        };
        let sizes = [
            ("batch_size", self.batch_size),
            ("tokens_per_batch", self.tokens_per_batch),
            ("keep_checkpoints", self.keep_checkpoints),
        ];
        for (field, value) in sizes {
            at_least_one(field, Some(value as u64))?;
        }
        at_least_one("max_steps", self.max_steps)?;
        at_least_one("save_every", self.save_every)?;
        at_least_one("eval_every", self.eval_every)?;
        let not_negative = [("learning_rate", self.learning_rate), ("weight_decay", self.weight_decay)];
        for (field, value) in not_negative {
            require(field, value, value >= 0.0 && value.is_finite(), "0 or more, and finite")?;
        }
        let positive = [
            ("epochs", self.epochs),
            ("adam_eps", self.adam_eps),
            ("loss_watchdog", self.loss_watchdog),
            ("max_grad_norm", self.max_grad_norm.unwrap_or(1.0)),
        ];
        for (field, value) in positive {
            require(field, value, value > 0.0 && value.is_finite(), "more than 0, and finite")?;
        }
        let decay = [("adam_beta1", self.adam_beta1), ("adam_beta2", self.adam_beta2)];
        for (field, value) in decay {
            require(field, value, (0.0..1.0).contains(&value), "in 0.0..1.0")?;
        }
        require("warmup_ratio", self.warmup_ratio, (0.0..=1.0).contains(&self.warmup_ratio), "in 0.0..=1.0")
    }
}

fn require(field: &'static str, value: f64, holds: bool, range: &'static str) -> Result<(), TrainError> {
    if holds { Ok(()) } else { Err(invalid(field, value, range)) }
}

fn invalid(field: &'static str, value: f64, range: &'static str) -> TrainError {
    TrainError::InvalidConfig { field, value, range }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_survives_json() {
        let config = TrainConfig::default();
        config.check().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), config);
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(serde_json::from_str::<TrainConfig>(r#"{"learning_rte": 1.0}"#).is_err());
    }

    #[test]
    fn the_field_out_of_range_is_named() {
        let cases = [
            (TrainConfig { batch_size: 0, ..TrainConfig::default() }, "batch_size"),
            (TrainConfig { learning_rate: f64::NAN, ..TrainConfig::default() }, "learning_rate"),
            (TrainConfig { learning_rate: -1.0, ..TrainConfig::default() }, "learning_rate"),
            (TrainConfig { epochs: 0.0, ..TrainConfig::default() }, "epochs"),
            (TrainConfig { adam_beta2: 1.0, ..TrainConfig::default() }, "adam_beta2"),
            (TrainConfig { max_grad_norm: Some(0.0), ..TrainConfig::default() }, "max_grad_norm"),
            (TrainConfig { warmup_ratio: 1.5, ..TrainConfig::default() }, "warmup_ratio"),
            (TrainConfig { loss_watchdog: 0.0, ..TrainConfig::default() }, "loss_watchdog"),
            (TrainConfig { save_every: Some(0), ..TrainConfig::default() }, "save_every"),
        ];
        for (config, expected) in cases {
            match config.check() {
                Err(TrainError::InvalidConfig { field, .. }) => assert_eq!(field, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
