//! A loss as it was asked for: a method, its settings, and what is to be another in it.

use sepo_loss::{CompositionForm, LossError, Objective, WeightSource};
use serde::{Deserialize, Serialize};

use super::{ObjectiveArgs, ObjectiveName};
use crate::exit::CliError;

/// What a loss is called that no method's name stands for.
const COMPOSED: &str = "composed";

/// A loss with the settings that were given for it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ObjectiveChoice {
    /// The method, or what a composition starts from.
    pub(crate) name: ObjectiveName,
    #[serde(flatten)]
    pub(crate) settings: ObjectiveArgs,
    /// Choices that take the place of the method's.
    #[serde(default, skip_serializing_if = "CompositionForm::is_empty")]
    pub(crate) composition: CompositionForm,
    /// Where the weights of tokens come from, if not from where the method's do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) weights: Option<TokenWeights>,
}

/// Where the weights of tokens come from, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum TokenWeights {
    /// 1 everywhere; those of a selection, where one is given.
    Uniform,
    /// A selection, which has to be there.
    Selection,
    /// Tokens that the policy is less sure of than on the mean, anew in every step.
    Confidence,
    /// Tokens whose gap between policy and reference is above the quantile, anew in every step.
    Gap { quantile: f64 },
}

impl TokenWeights {
    /// As it is written for a source; nothing where the loss says it already.
    pub(crate) fn of(source: WeightSource, quantile: Option<f64>) -> Option<Self> {
        match source {
            WeightSource::Uniform | WeightSource::Rewards(_) => None,
            WeightSource::Selection(_) => Some(Self::Selection),
            WeightSource::Confidence => Some(Self::Confidence),
            WeightSource::Gap => Some(Self::Gap { quantile: quantile.unwrap_or_default() }),
        }
    }

    fn source(self) -> WeightSource {
        match self {
            Self::Uniform => WeightSource::Uniform,
            // By any rule: what errors advise.
            Self::Selection => WeightSource::Selection("NAME"),
            Self::Confidence => WeightSource::Confidence,
            Self::Gap { .. } => WeightSource::Gap,
        }
    }
}

impl ObjectiveChoice {
    /// A method with its settings.
    pub(crate) fn named(name: ObjectiveName, settings: ObjectiveArgs) -> Self {
        Self { name, settings, ..Self::default() }
    }

    /// Whether it is more than a method with its settings.
    pub(crate) fn is_composed(&self) -> bool {
        !self.composition.is_empty() || self.weights.is_some()
    }

    /// What it is called in a sentence.
    pub(crate) fn words(&self) -> String {
        if self.is_composed() {
            return "the composed objective".to_owned();
        }
        format!("`--objective {}`", self.name.preset().name)
    }

    /// The objective.
    pub(crate) fn objective(&self) -> Result<Objective, CliError> {
        if self.is_composed() { Ok(self.checked()?) } else { self.settings.objective(self.name) }
    }

    /// The objective, every setting in its range and its parts going together.
    pub(crate) fn checked(&self) -> Result<Objective, LossError> {
        let objective = self.build()?;
        objective.check()?;
        self.check_weights(&objective)?;
        Ok(objective)
    }

    fn build(&self) -> Result<Objective, LossError> {
        let start = self.settings.build(self.name)?;
        if self.composition.is_empty() {
            return Ok(start);
        }
        let Some(composition) = start.composition() else {
            return Err(LossError::Composition {
                objective: start.name(),
                part: "name",
                reason: "it compares no responses, so no part of a comparison can be another",
            });
        };
        Ok(Objective::composed(COMPOSED, self.composition.over(composition)?))
    }

    /// Nothing, where the loss can be fed with these weights.
    fn check_weights(&self, objective: &Objective) -> Result<(), LossError> {
        let refuse = |part, reason| Err(LossError::Composition { objective: objective.name(), part, reason });
        if self.weights.is_some() && self.settings.quantile.is_some() {
            return refuse("quantile", "it belongs to the method's weights, and `weights` says others");
        }
        let own = self.weights.map_or(self.name.preset().weights, TokenWeights::source);
        let is_taken =
            self.weights.is_some() || !matches!(own, WeightSource::Uniform | WeightSource::Rewards(_));
        if self.reads_rewards() && is_taken {
            let reason = "with `regularizers.token_reward`, the numbers of a selection are rewards, and tokens have no other weights";
            return refuse(
                if self.weights.is_some() { "weights" } else { "regularizers.token_reward" },
                reason,
            );
        }
        if self.source() == WeightSource::Gap && !objective.needs_reference() {
            let part = if self.weights.is_some() { "weights" } else { "statistic" };
            return refuse(
                part,
                "its weights are made from a reference, and the loss reads none: set `statistic.rho`",
            );
        }
        match self.weights {
            Some(TokenWeights::Gap { quantile }) if !(0.0..=1.0).contains(&quantile) => {
                Err(LossError::SettingOutOfRange {
                    objective: objective.name(),
                    setting: "quantile",
                    part: "weights",
                    value: quantile,
                    accepted: "0 <= value <= 1",
                })
            }
            _ => Ok(()),
        }
    }

    /// Where the weights of tokens come from.
    pub(crate) fn source(&self) -> WeightSource {
        let own = self.weights.map_or(self.name.preset().weights, TokenWeights::source);
        match (own, self.reads_rewards()) {
            (WeightSource::Rewards(_), false) => WeightSource::Uniform,
            (WeightSource::Rewards(_), true) | (_, false) => own,
            (_, true) => WeightSource::Rewards("t-reg"),
        }
    }

    /// Share of the tokens that weights by the gap leave out.
    pub(crate) fn quantile(&self) -> f64 {
        match self.weights {
            Some(TokenWeights::Gap { quantile }) => quantile,
            _ => self.settings.value("quantile", self.name).unwrap_or_default(),
        }
    }

    fn reads_rewards(&self) -> bool {
        match self.composition.regularizers {
            Some(regularizers) => regularizers.token_reward.is_some(),
            None => matches!(self.name.preset().weights, WeightSource::Rewards(_)),
        }
    }
}
