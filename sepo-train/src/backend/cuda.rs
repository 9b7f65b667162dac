//! Training on an NVIDIA GPU: weights, gradient and moments stay there from the first step to the last.

use std::borrow::Cow;
use std::fmt;

use sepo_kernels::cuda::{
    self, AdamWState, Bf16, Clip, DeviceError, Float, Heap, SliceMut, sum_of_squares_len,
};
use sepo_model::{Backend, Cuda, DeviceBuffer, ModelError, Parameters};

use super::{TrainBackend, Update};

/// Weights on a device, and the CPU's, which are behind until they are asked for.
pub struct CudaTrained<'m, H: Heap, T: Float> {
    parameters: &'m mut Parameters,
    /// What the network multiplies with.
    weights: DeviceBuffer<H, T>,
    /// The same before they were rounded; nothing where they are not.
    master: DeviceBuffer<H, f32>,
    /// Shares of the squared norm of a gradient.
    partials: DeviceBuffer<H, f64>,
    norm: DeviceBuffer<H, f64>,
    factor: DeviceBuffer<H, f32>,
}

impl<H: Heap, T: Float> fmt::Debug for CudaTrained<'_, H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaTrained").field("weights", &self.weights).finish_non_exhaustive()
    }
}

impl<'m, H: Heap, T: Float> CudaTrained<'m, H, T> {
    fn new(on: &Cuda<H, T>, parameters: &'m mut Parameters) -> Result<Self, ModelError> {
        let (heap, n) = (on.heap(), parameters.len());
        let weights = on.load(parameters)?;
        let is_rounded = weights.slice().of_type::<f32>().is_none();
        let master = DeviceBuffer::of(heap, if is_rounded { parameters.as_slice() } else { &[] })?;
        let [mut partials, mut norm] = [DeviceBuffer::default(), DeviceBuffer::default()];
        partials.resize(heap, sum_of_squares_len(n))?;
        norm.resize(heap, 1)?;
        let factor = DeviceBuffer::of(heap, &[0.0])?;
        Ok(Self { parameters, weights, master, partials, norm, factor })
    }

    /// What AdamW changes, and the copies of it that a step computes with, where they are others.
    fn changed(&mut self) -> (SliceMut<'_, f32>, Option<SliceMut<'_, Bf16>>) {
        match self.weights.slice().of_type::<f32>() {
            Some(_) => {
                let weights = self.weights.slice_mut().of_type();
                (weights.expect("of this type, as was seen"), None)
            }
            None => (self.master.slice_mut(), self.weights.slice_mut().of_type()),
        }
    }

    /// Puts a step in line whose factor is what norm and clip make of the gradient.
    fn step(
        &mut self,
        heap: &H,
        [m, v]: [&mut DeviceBuffer<H, f32>; 2],
        gradient: &DeviceBuffer<H, f32>,
        Update { n_units, max_norm, steps }: Update<'_>,
    ) -> Result<(), DeviceError> {
        cuda::sum_of_squares(heap, gradient.slice(), self.partials.slice_mut())?;
        let (norm, factor) = (self.norm.slice_mut(), self.factor.slice_mut());
        cuda::clip_factor(heap, self.partials.slice(), Clip { n_units, max_norm, norm, factor })?;
        let factor = std::mem::take(&mut self.factor);
        let (mut params, mut copies) = self.changed();
        let made = steps.iter().try_for_each(|(range, step)| {
            let state = AdamWState {
                params: params.reborrow().range(range.clone()),
                copies: copies.as_mut().map(|copies| copies.reborrow().range(range.clone())),
                m: m.slice_mut().range(range.clone()),
                v: v.slice_mut().range(range.clone()),
            };
            cuda::adamw(heap, state, gradient.slice().range(range.clone()), factor.slice(), step)
        });
        self.factor = factor;
        made
    }
}

impl<H: Heap, T: Float> TrainBackend for Cuda<H, T> {
    type Trained<'m> = CudaTrained<'m, H, T>;

    fn trained<'m>(&self, parameters: &'m mut Parameters) -> Result<CudaTrained<'m, H, T>, ModelError> {
        CudaTrained::new(self, parameters)
    }

    fn parameters<'t>(trained: &'t CudaTrained<'_, H, T>) -> &'t DeviceBuffer<H, T> {
        &trained.weights
    }

    fn settle<'t>(&self, trained: &'t mut CudaTrained<'_, H, T>) -> Result<&'t Parameters, ModelError> {
        let weights = match trained.weights.slice().of_type() {
            Some(weights) => self.heap().download::<f32>(weights)?,
            None => self.heap().download(trained.master.slice())?,
        };
        trained.parameters.as_mut_slice().copy_from_slice(&weights);
        Ok(trained.parameters)
    }

    fn to_singles(&self, values: Vec<f32>) -> Result<DeviceBuffer<H, f32>, ModelError> {
        Ok(DeviceBuffer::of(self.heap(), &values)?)
    }

    fn to_values<'s>(&self, singles: &'s DeviceBuffer<H, f32>) -> Result<Cow<'s, [f32]>, ModelError> {
        Ok(Cow::Owned(self.download(singles)?))
    }

    fn gradient_norm(&self, gradient: &DeviceBuffer<H, f32>) -> Result<f64, ModelError> {
        let (heap, mut partials) = (self.heap(), DeviceBuffer::default());
        partials.resize(heap, sum_of_squares_len(gradient.len()))?;
        cuda::sum_of_squares(heap, gradient.slice(), partials.slice_mut())?;
        Ok(heap.download(partials.slice())?.iter().sum::<f64>().sqrt())
    }

    /// Whoever asks waits for the norm alone, which is known when the step is in line.
    fn update(
        &self,
        trained: &mut CudaTrained<'_, H, T>,
        moments: [&mut DeviceBuffer<H, f32>; 2],
        gradient: &DeviceBuffer<H, f32>,
        update: Update<'_>,
    ) -> Result<f64, ModelError> {
        trained.step(self.heap(), moments, gradient, update)?;
        let norm = self.heap().download(trained.norm.slice())?;
        Ok(norm.first().copied().unwrap_or(f64::NAN))
    }
}
