//! Training on the CPU: a model's weights change in place.

use std::borrow::Cow;

use sepo_kernels::{AdamWStep, adamw, sum_of_squares};
use sepo_model::{Cpu, ModelError, Parameters};

use super::{TrainBackend, Update};
use crate::optimizer::mean_and_clip;

impl TrainBackend for Cpu {
    type Trained<'m> = &'m mut Parameters;

    fn trained<'m>(&self, parameters: &'m mut Parameters) -> Result<&'m mut Parameters, ModelError> {
        Ok(parameters)
    }

    fn parameters<'t>(trained: &'t &mut Parameters) -> &'t Parameters {
        trained
    }

    fn settle<'t>(&self, trained: &'t mut &mut Parameters) -> Result<&'t Parameters, ModelError> {
        Ok(trained)
    }

    fn to_singles(&self, values: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        Ok(values)
    }

    fn to_values<'s>(&self, singles: &'s Vec<f32>) -> Result<Cow<'s, [f32]>, ModelError> {
        Ok(Cow::Borrowed(singles))
    }

    fn gradient_norm(&self, gradient: &[f32]) -> Result<f64, ModelError> {
        Ok(sum_of_squares(gradient).sqrt())
    }

    fn update(
        &self,
        trained: &mut &mut Parameters,
        [m, v]: [&mut Vec<f32>; 2],
        gradient: &[f32],
        Update { n_units, max_norm, steps }: Update<'_>,
    ) -> Result<f64, ModelError> {
        let norm = self.gradient_norm(gradient)? / n_units;
        if !norm.is_finite() {
            return Ok(norm);
        }
        let gradient_factor = mean_and_clip(n_units, norm, max_norm);
        let values = trained.as_mut_slice();
        for (range, step) in steps {
            let [values, m, v] = [&mut *values, &mut **m, &mut **v].map(|all| &mut all[range.clone()]);
            adamw(values, &gradient[range.clone()], m, v, &AdamWStep { gradient_factor, ..*step });
        }
        Ok(norm)
    }
}
