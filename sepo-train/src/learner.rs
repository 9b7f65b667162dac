//! The policy of a run: weights that change, and what runs them.

use sepo_loss::Objective;
use sepo_model::{Activations, Model, ModelConfig, Network};

use crate::backend::TrainBackend;
use crate::beside::{Companion, reads_collisions};
use crate::gradient::GradientContext;
use crate::pass::Passes;
use crate::{ActivationPolicy, StepWeights, TrainConfig, TrainError};

/// A model where it is trained, with the frozen models beside it.
pub(crate) struct Learner<'a, B: TrainBackend> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: B::Trained<'a>,
    network: Network<B>,
    companion: Option<Companion<'a, B>>,
    /// Whether the loss reads how likely two draws of the policy are the same token.
    collisions: bool,
    objective: &'a Objective,
    /// That are made anew in every step.
    token_weights: Option<&'a dyn StepWeights>,
    tokens_per_batch: usize,
}

impl<'a, B: TrainBackend> Learner<'a, B> {
    pub(crate) fn new(
        on: &B,
        model: &'a mut Model,
        beside: (Option<Companion<'a, B>>, Option<&'a dyn StepWeights>),
        (objective, config): (&'a Objective, &TrainConfig),
    ) -> Result<Self, TrainError> {
        let activations = match config.activations {
            ActivationPolicy::Kept => Activations::Kept,
            ActivationPolicy::Recomputed => Activations::Recomputed,
        };
        let Model { config: shape, parameters } = model;
        Ok(Self {
            network: Network::on(on.clone(), shape, activations).with_dtype(config.dtype),
            config: shape,
            weights: on.trained(parameters)?,
            companion: beside.0,
            collisions: reads_collisions(objective),
            objective,
            token_weights: beside.1,
            tokens_per_batch: config.tokens_per_batch,
        })
    }

    pub(crate) fn context(&mut self) -> GradientContext<'_, 'a, B> {
        GradientContext {
            objective: self.objective,
            weights: self.token_weights,
            tokens_per_batch: self.tokens_per_batch,
            passes: self.passes(),
        }
    }

    pub(crate) fn passes(&mut self) -> Passes<'_, 'a, B> {
        Passes {
            network: &mut self.network,
            parameters: B::parameters(&self.weights),
            companion: self.companion.as_mut(),
            collisions: self.collisions,
        }
    }
}
