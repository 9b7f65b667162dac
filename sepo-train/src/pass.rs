//! One forward pass over a batch, alone or beside frozen models, and the way back.

use sepo_kernels::RowGradients;
use sepo_loss::Evaluation;
use sepo_model::{Backend, Network, RowValues};

use crate::TrainError;
use crate::batch::Batch;
use crate::beside::Companion;
use crate::forward::{Forward, Others};

/// A model on batches.
pub(crate) struct Passes<'p, 'a, B: Backend> {
    pub(crate) network: &'p mut Network<B>,
    pub(crate) parameters: &'p B::Parameters,
    pub(crate) companion: Option<&'p mut Companion<'a, B>>,
    /// Whether the loss reads how likely two draws of the policy are the same token.
    pub(crate) collisions: bool,
}

impl<B: Backend> Passes<'_, '_, B> {
    /// The numbers of every row; [`Passes::backward`] may follow.
    pub(crate) fn forward(&mut self, batch: &Batch<'_>) -> Result<Forward<B>, TrainError> {
        let Some(companion) = &mut self.companion else {
            let logps = self.network.forward(self.parameters, &batch.sequence())?;
            let values = RowValues { logps, ..RowValues::default() };
            let flops = self.network.flops().forward;
            let log_collisions = self.log_collisions()?;
            return Ok(Forward { values, others: Others::default(), log_collisions, flops });
        };
        let others = companion.others(batch)?;
        let heads = companion.heads(&others);
        let values = self.network.forward_beside(self.parameters, &batch.sequence(), &heads)?;
        let flops = self.network.flops().forward + companion.flops();
        let log_collisions = self.log_collisions()?;
        Ok(Forward { values, others, log_collisions, flops })
    }

    fn log_collisions(&self) -> Result<Vec<f64>, TrainError> {
        if self.collisions { Ok(self.network.log_collisions(self.parameters)?) } else { Ok(Vec::new()) }
    }

    /// The numbers of every row, with nothing kept for a gradient where that can be.
    pub(crate) fn measure(&mut self, batch: &Batch<'_>) -> Result<Forward<B>, TrainError> {
        // Examples of which nothing is predicted make a batch of no tokens, which no network has to know of.
        if (self.companion.is_some() || self.collisions) && batch.n_rows() > 0 {
            return self.forward(batch);
        }
        let logps = batch.logps(|batch| self.network.logps(self.parameters, batch))?;
        Ok(Forward { values: RowValues { logps, ..RowValues::default() }, ..Forward::default() })
    }

    /// Adds the gradient of the last pass to `gradient`; returns the operations that it took.
    pub(crate) fn backward(
        &mut self,
        forward: &Forward<B>,
        evaluation: &Evaluation,
        gradient: &mut B::Gradient,
    ) -> Result<u64, TrainError> {
        match &self.companion {
            Some(companion) => {
                let zeros = vec![0.0; evaluation.dlogps.len()];
                let slopes = RowGradients {
                    logps: &evaluation.dlogps,
                    forward_kl: or(&evaluation.dforward_kls, &zeros),
                    reverse_kl: or(&evaluation.dreverse_kls, &zeros),
                };
                let heads = companion.heads(&forward.others);
                self.network.backward_beside(self.parameters, &heads, slopes, gradient)?;
            }
            None => self.network.backward(self.parameters, &evaluation.dlogps, gradient)?,
        }
        Ok(self.network.flops().backward)
    }
}

/// The slopes, or zeros where the loss does not read the term.
fn or<'a>(slopes: &'a [f64], zeros: &'a [f64]) -> &'a [f64] {
    if slopes.is_empty() { zeros } else { slopes }
}
