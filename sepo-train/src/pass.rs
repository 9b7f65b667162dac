//! One forward pass over a batch, alone or beside a frozen model, and the way back.

use sepo_kernels::RowGradients;
use sepo_loss::Evaluation;
use sepo_model::{Network, Parameters, RowValues, States};

use crate::TrainError;
use crate::batch::Batch;
use crate::beside::Companion;

/// A model on batches.
pub(crate) struct Passes<'p, 'a> {
    pub(crate) network: &'p mut Network,
    pub(crate) parameters: &'p Parameters,
    pub(crate) companion: Option<&'p mut Companion<'a>>,
}

/// What a forward pass made of every row, and what its way back needs.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    pub(crate) values: RowValues,
    /// Of the frozen model.
    states: Option<States>,
    pub(crate) flops: u64,
}

impl Passes<'_, '_> {
    /// The numbers of every row; [`Passes::backward`] may follow.
    pub(crate) fn forward(&mut self, batch: &Batch<'_>) -> Result<Forward, TrainError> {
        let Some(companion) = &mut self.companion else {
            let logps = self.network.forward(self.parameters, &batch.sequence())?;
            let values = RowValues { logps, ..RowValues::default() };
            return Ok(Forward { values, states: None, flops: self.network.flops().forward });
        };
        let states = companion.states(batch)?;
        let others = [states.with_head(companion.parameters)];
        let values = self.network.forward_beside(self.parameters, &batch.sequence(), &others)?;
        let flops = self.network.flops().forward + companion.flops();
        Ok(Forward { values, states: Some(states), flops })
    }

    /// The numbers of every row, with nothing kept for a gradient where that can be.
    pub(crate) fn measure(&mut self, batch: &Batch<'_>) -> Result<RowValues, TrainError> {
        // Examples of which nothing is predicted make a batch of no tokens, which no network has to know of.
        if self.companion.is_some() && batch.n_rows() > 0 {
            return Ok(self.forward(batch)?.values);
        }
        let logps = batch.logps(self.network, self.parameters)?;
        Ok(RowValues { logps, ..RowValues::default() })
    }

    /// Adds the gradient of the last pass to `gradient`; returns the operations that it took.
    pub(crate) fn backward(
        &mut self,
        forward: &Forward,
        evaluation: &Evaluation,
        gradient: &mut [f32],
    ) -> Result<u64, TrainError> {
        match (&self.companion, &forward.states) {
            (Some(companion), Some(states)) => {
                let zeros = vec![0.0; evaluation.dlogps.len()];
                let slopes = RowGradients {
                    logps: &evaluation.dlogps,
                    forward_kl: or(&evaluation.dforward_kls, &zeros),
                    reverse_kl: or(&evaluation.dreverse_kls, &zeros),
                };
                let others = [states.with_head(companion.parameters)];
                self.network.backward_beside(self.parameters, &others, slopes, gradient)?;
            }
            _ => self.network.backward(self.parameters, &evaluation.dlogps, gradient)?,
        }
        Ok(self.network.flops().backward)
    }
}

/// The slopes, or zeros where the loss does not read the term.
fn or<'a>(slopes: &'a [f64], zeros: &'a [f64]) -> &'a [f64] {
    if slopes.is_empty() { zeros } else { slopes }
}
