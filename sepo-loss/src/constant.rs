//! Numbers that carry no gradient, as dfdx wants them.

use dfdx::prelude::*;

/// A vector of runtime length on the device: one number a row, a sequence or a pair.
pub type PerRow<E, D, T = NoneTape> = Tensor<(usize,), E, D, T>;

/// `value` in the tensor's dtype, rounded to nearest.
pub(crate) fn scalar<E: Dtype>(value: f64) -> E {
    E::from_f64(value).expect("every dtype that a device computes with takes an f64")
}

/// `values` as a tensor of the given shape.
pub(crate) fn constant<S: Shape, E: Dtype, D: Device<E>>(
    device: &D,
    values: &[f64],
    shape: S,
) -> Result<Tensor<S, E, D>, D::Err> {
    device.try_tensor_from_vec(values.iter().map(|&value| scalar(value)).collect(), shape)
}

/// The same numbers as another tensor, which carries no gradient.
pub(crate) fn detached<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
    tensor: &Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D>, D::Err> {
    // A clone would not do: it has the identity of the original, and dfdx keeps gradients by identity.
    tensor.device().try_tensor_from_vec(tensor.as_vec(), *tensor.shape())
}

/// The numbers as f64.
pub(crate) fn values<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
    tensor: &Tensor<S, E, D, T>,
) -> Vec<f64> {
    tensor.as_vec().iter().map(|value| value.to_f64().unwrap_or(f64::NAN)).collect()
}
