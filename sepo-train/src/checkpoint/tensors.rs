//! Flat buffers as named tensors in a safetensors file, and back.

use std::borrow::Cow;
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View};
use sepo_model::ParameterInfo;

use crate::TrainError;

/// One tensor, borrowed from a flat buffer.
struct Tensor<'a> {
    shape: &'a [usize],
    values: &'a [f32],
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            Cow::Borrowed(bytemuck::cast_slice(self.values))
        } else {
            Cow::Owned(self.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        }
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

/// Writes several buffers of one layout; each tensor is named by its buffer's prefix and its own name.
pub(super) fn write_file(
    path: &Path,
    layout: &[ParameterInfo],
    buffers: &[(&str, &[f32])],
) -> Result<(), TrainError> {
    let tensors = buffers.iter().flat_map(|(prefix, values)| {
        layout.iter().map(move |info| {
            let tensor = Tensor { shape: &info.shape, values: &values[info.range.clone()] };
            (format!("{prefix}{}", info.name), tensor)
        })
    });
    safetensors::serialize_to_file(tensors, None, path)
        .map_err(|source| TrainError::Safetensors { path: path.to_path_buf(), source })
}

/// Fills the buffers from a file that [`write_file`] made with the same layout.
pub(super) fn read_file(
    path: &Path,
    layout: &[ParameterInfo],
    buffers: &mut [(&str, &mut [f32])],
) -> Result<(), TrainError> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|source| TrainError::Safetensors { path: path.to_path_buf(), source })?;
    for (prefix, values) in buffers {
        for info in layout {
            let tensor = format!("{prefix}{}", info.name);
            let target = &mut values[info.range.clone()];
            let is_filled = file.tensor(&tensor).is_ok_and(|found| fill(target, info, &found));
            if !is_filled {
                return Err(TrainError::Tensor {
                    file: path.to_path_buf(),
                    tensor,
                    n_values: info.range.len(),
                });
            }
        }
    }
    Ok(())
}

/// Whether the tensor was of the right type and shape and has been copied.
fn fill(target: &mut [f32], info: &ParameterInfo, found: &safetensors::tensor::TensorView<'_>) -> bool {
    if found.dtype() != Dtype::F32 || found.shape() != info.shape {
        return false;
    }
    let (values, rest) = found.data().as_chunks::<4>();
    if values.len() != target.len() || !rest.is_empty() {
        return false;
    }
    for (target, value) in target.iter_mut().zip(values) {
        *target = f32::from_le_bytes(*value);
    }
    true
}
