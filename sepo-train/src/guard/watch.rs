//! All guards of a run.

use serde::{Deserialize, Serialize};

use super::alarm::{Alarm, GuardName};
use super::displacement::Displacement;
use super::length_bias::LengthBias;
use super::loss_rise::LossRise;
use crate::{EvalReport, StepMetrics, TrainConfig};

/// What every guard has seen so far; part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Guards {
    loss_rise: LossRise,
    displacement: Displacement,
    length_bias: LengthBias,
    /// The guard that stopped the run at this step.
    pub(crate) stopped_by: Option<GuardName>,
}

impl Guards {
    /// As they were, for a call that may name other guards to stop on. A run that one of these stopped stays stopped.
    pub(crate) fn resumed(mut self, config: &TrainConfig) -> Self {
        self.stopped_by = self.stopped_by.filter(|guard| config.stop_on.contains(guard));
        self
    }

    /// What there is to say after a step.
    pub(crate) fn after_step(&mut self, metrics: &StepMetrics, config: &TrainConfig) -> Vec<Alarm> {
        let alarms = [
            self.loss_rise.push(metrics, config.loss_watchdog),
            self.displacement.push(metrics),
            self.length_bias.push(metrics),
        ];
        self.noted(alarms.into_iter().flatten().collect(), config)
    }

    /// What there is to say after an evaluation.
    pub(crate) fn after_eval(&mut self, report: &EvalReport, config: &TrainConfig) -> Vec<Alarm> {
        let alarms = self.displacement.push_eval(report).into_iter().collect();
        self.noted(alarms, config)
    }

    /// Notes the first guard that is to stop the run.
    fn noted(&mut self, alarms: Vec<Alarm>, config: &TrainConfig) -> Vec<Alarm> {
        let mut names = alarms.iter().map(Alarm::guard);
        let stops = names.find(|guard| config.stop_on.contains(guard));
        self.stopped_by = self.stopped_by.or(stops);
        alarms
    }
}
