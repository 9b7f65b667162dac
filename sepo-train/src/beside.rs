//! What a step reads besides examples and the policy: a frozen model, and weights that the policy makes itself.

use std::fmt;

use sepo_data::Side;
use sepo_loss::{Input, Objective, Weighting};
use sepo_model::{Backend, FrozenHead, FrozenModel, Model, ModelError, States};

use crate::TrainError;
use crate::batch::Batch;
use crate::forward::Others;

/// What examples cannot bring, as it takes a whole distribution a token or changes in every step.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The frozen model that divergences are taken from, for objectives that read
    /// [`Input::ForwardKls`] or [`Input::ReverseKls`]. Of the vocabulary of the policy.
    pub reference: Option<&'a Model>,
    /// The frozen models that a teacher is made of, for objectives that read [`Input::Extrapolations`]. Of the vocabulary of the policy.
    pub teacher: Option<Teacher<'a>>,
    /// Weights that are made anew in every step; they multiply those of the examples.
    pub weights: Option<&'a dyn StepWeights>,
}

/// Two models that make a teacher: its logits are those of `toward`, moved on from those of `away`.
#[derive(Debug, Clone, Copy)]
pub struct Teacher<'a> {
    /// Aligned by DPO.
    pub toward: &'a Model,
    /// Aligned by DPO on exchanged responses.
    pub away: &'a Model,
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

/// The frozen models at work.
#[derive(Debug)]
pub(crate) struct Companion<'a, B: Backend> {
    on: B,
    models: Vec<FrozenModel<'a, B>>,
    /// How far a teacher is moved on, in distances of its two models; a reference is taken as it is.
    boost: Option<f64>,
}

/// Least distance that a teacher is moved on, of the released code: the loss divides by it.
const LEAST_EXTRAPOLATION: f64 = 1e-3;

impl<'a, B: Backend> Companion<'a, B> {
    /// The companion of an objective that reads divergences or a teacher; none for others.
    ///
    /// # Errors
    ///
    /// [`TrainError::NoReferenceModel`], [`TrainError::NoTeacher`] where there is no model to take them from,
    /// [`TrainError::OtherVocabulary`] where one has other tokens than the policy.
    pub(crate) fn of(
        on: &B,
        objective: &Objective,
        beside: Beside<'a>,
        vocab: usize,
    ) -> Result<Option<Self>, TrainError> {
        let name = objective.name();
        let (models, boost) = if let Objective::AlignDistil { boost, .. } = *objective {
            let teacher = beside.teacher.ok_or(TrainError::NoTeacher { objective: name })?;
            (vec![teacher.toward, teacher.away], Some(boost))
        } else if reads_divergences(objective) {
            (vec![beside.reference.ok_or(TrainError::NoReferenceModel { objective: name })?], None)
        } else {
            return Ok(None);
        };
        if let Some(found) = models.iter().map(|model| model.config.vocab).find(|found| *found != vocab) {
            return Err(TrainError::OtherVocabulary { expected: vocab, found });
        }
        let models = models.into_iter().map(|model| FrozenModel::on(on, model));
        Ok(Some(Self { on: on.clone(), models: models.collect::<Result<_, ModelError>>()?, boost }))
    }

    /// What the models say of the batch.
    pub(crate) fn others(&mut self, batch: &Batch<'_>) -> Result<Others<B>, TrainError> {
        let sequence = batch.sequence();
        let states = self.models.iter_mut().map(|model| model.states(&sequence));
        let states = states.collect::<Result<Vec<States<B>>, ModelError>>()?;
        let mut others = Others { states, extrapolations: Vec::new() };
        let heads = self.heads(&others);
        let (Some(boost), &[toward, away]) = (self.boost, &heads[..]) else {
            return Ok(others);
        };
        let distances = self.on.distances([toward, away])?;
        let by: Vec<f64> = distances.iter().map(|d| boost * d + LEAST_EXTRAPOLATION).collect();
        // z + g (z − z') = (1 + g) z − g z', and a head is linear.
        let factors: [Vec<f64>; 2] = [by.iter().map(|g| 1.0 + g).collect(), by.iter().map(|g| -g).collect()];
        let scaled = others.states.into_iter().zip(&factors);
        others.states =
            scaled.map(|(states, by)| states.scaled_each(&self.on, by)).collect::<Result<_, ModelError>>()?;
        others.extrapolations = sequence.state_of_rows().into_iter().map(|place| by[place]).collect();
        Ok(others)
    }

    /// The models' states with their heads.
    pub(crate) fn heads<'b>(&'b self, others: &'b Others<B>) -> Vec<FrozenHead<'b, B>> {
        others.states.iter().zip(&self.models).map(|(states, model)| model.head(states)).collect()
    }

    /// Of the last pass.
    pub(crate) fn flops(&self) -> u64 {
        self.models.iter().map(|model| model.flops().forward).sum()
    }
}

/// Whether the objective reads a divergence from a frozen model, so that [`Beside::reference`] has to be there.
#[must_use]
pub fn reads_divergences(objective: &Objective) -> bool {
    let is_divergence = |input: &Input| matches!(input, Input::ForwardKls | Input::ReverseKls);
    objective.inputs().iter().any(is_divergence) && !reads_teacher(objective)
}

/// Whether the objective reads a teacher made of two frozen models, so that [`Beside::teacher`] has to be there.
#[must_use]
pub fn reads_teacher(objective: &Objective) -> bool {
    objective.inputs().contains(&Input::Extrapolations)
}

/// Whether the objective reads how likely two draws of the policy are the same token.
pub(crate) fn reads_collisions(objective: &Objective) -> bool {
    objective.inputs().contains(&Input::LogCollisions)
}

/// Nothing, where training can bring every array that the objective reads: to be asked before work is done.
///
/// # Errors
///
/// [`TrainError::WeightsLearned`] for weights that are to get a gradient.
///
/// # Examples
///
/// ```
/// use sepo_loss::{Composition, Objective, Weighting};
///
/// let learned = Composition { weighting: Weighting::Learned, ..Composition::default() };
/// assert!(sepo_train::check_inputs(&Objective::composed("sparse-po", learned)).is_err());
/// assert!(sepo_train::check_inputs(&Objective::Sft).is_ok());
/// ```
pub fn check_inputs(objective: &Objective) -> Result<(), TrainError> {
    if objective.composition().is_some_and(|loss| loss.weighting == Weighting::Learned) {
        return Err(TrainError::WeightsLearned { objective: objective.name() });
    }
    Ok(())
}
