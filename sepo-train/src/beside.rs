//! What a step reads besides examples and the policy: a frozen model, and weights that the policy makes itself.

use std::fmt;

use sepo_data::Side;
use sepo_loss::{Input, Objective};
use sepo_model::{Activations, Model, Network, Parameters, States};

use crate::TrainError;
use crate::batch::Batch;

/// What examples cannot bring, as it takes a whole distribution a token or changes in every step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The frozen model that divergences are taken from, for objectives that read
    /// [`Input::ForwardKls`] or [`Input::ReverseKls`]. Of the vocabulary of the policy.
    pub reference: Option<&'a Model>,
    /// Weights that are made anew in every step; they multiply those of the examples.
    pub weights: Option<&'a dyn StepWeights>,
}

/// Token weights from the log-probabilities of the very step, such as ConfPO's. They are constants of the loss.
///
/// # Examples
///
/// ```
/// use sepo_data::Side;
/// use sepo_train::StepWeights;
///
/// #[derive(Debug)]
/// struct Surprise;
///
/// impl StepWeights for Surprise {
///     fn identity(&self) -> String {
///         "surprise".to_owned()
///     }
///
///     fn weights(&self, _: Side, logps: &[f64], _: Option<&[f64]>) -> Vec<f64> {
///         logps.iter().map(|logp| 1.0 - logp.exp()).collect()
///     }
/// }
/// assert_eq!(Surprise.weights(Side::Chosen, &[0.0], None), [0.0]);
/// ```
pub trait StepWeights: fmt::Debug + Sync {
    /// A name that tells two kinds of weights apart, settings included: part of what makes two runs the same.
    fn identity(&self) -> String;

    /// One weight for each of the tokens of a response that count, from the log-probabilities of policy and reference, in nats.
    ///
    /// The reference is there where the objective reads it.
    fn weights(&self, side: Side, logps: &[f64], reference: Option<&[f64]>) -> Vec<f64>;
}

/// The frozen model at work.
#[derive(Debug)]
pub(crate) struct Companion<'a> {
    network: Network,
    pub(crate) parameters: &'a Parameters,
}

impl<'a> Companion<'a> {
    /// The companion of an objective that reads divergences; none for others.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoReferenceModel`] where there is no model to take them from, [`TrainError::OtherVocabulary`] where it has other
    /// tokens than the policy.
    pub(crate) fn of(
        objective: &Objective,
        beside: Beside<'a>,
        policy: &Model,
    ) -> Result<Option<Self>, TrainError> {
        if !reads_divergences(objective) {
            return Ok(None);
        }
        let Some(model) = beside.reference else {
            return Err(TrainError::NoReferenceModel { objective: objective.name() });
        };
        let (expected, found) = (policy.config.vocab, model.config.vocab);
        if expected != found {
            return Err(TrainError::OtherVocabulary { expected, found });
        }
        let network = Network::new(&model.config, Activations::Kept);
        Ok(Some(Self { network, parameters: &model.parameters }))
    }

    pub(crate) fn states(&mut self, batch: &Batch<'_>) -> Result<States, TrainError> {
        Ok(self.network.states(self.parameters, &batch.sequence())?)
    }

    /// Of the last pass.
    pub(crate) fn flops(&self) -> u64 {
        self.network.flops().forward
    }
}

/// Whether the objective reads a divergence from a frozen model, so that [`Beside::reference`] has to be there.
#[must_use]
pub fn reads_divergences(objective: &Objective) -> bool {
    objective.inputs().iter().any(|input| matches!(input, Input::ForwardKls | Input::ReverseKls))
}

/// Nothing, where training can bring every array that the objective reads.
pub(crate) fn check_inputs(objective: &Objective) -> Result<(), TrainError> {
    let cannot = |input: &Input| matches!(input, Input::LogCollisions | Input::Segments);
    match objective.inputs().into_iter().find(cannot) {
        Some(input) => Err(TrainError::InputUnknown { objective: objective.name(), input }),
        None => Ok(()),
    }
}
