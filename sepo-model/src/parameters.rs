//! All weights of a model in one flat buffer, with the name, shape and place of each tensor.

use std::ops::Range;
use std::sync::Arc;

use crate::ModelConfig;
use crate::architecture::Architecture;

/// One tensor: its Hugging Face name, its shape, and where it lies in the flat buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Name in the safetensors file.
    pub name: String,
    /// Shape, row-major; a linear map is `[d_out, d_in]`.
    pub shape: Vec<usize>,
    /// Elements of the flat buffer.
    pub range: Range<usize>,
    /// Whether weight decay applies: not to norms and biases.
    pub decay: bool,
}

/// Every weight of a model, in f32, one after the other.
///
/// Gradients and optimizer moments use buffers of the same length and layout, so an optimizer is a loop over two slices.
#[derive(Debug, Clone)]
pub struct Parameters {
    values: Vec<f32>,
    layout: Arc<[ParameterInfo]>,
}

impl Parameters {
    /// All zeros, laid out for `config`.
    #[must_use]
    pub fn zeros(config: &ModelConfig) -> Self {
        let layout = Architecture::new(config).into_layout();
        let n = layout.last().map_or(0, |info| info.range.end);
        Self { values: vec![0.0; n], layout: layout.into() }
    }

    /// The tensors, in the order in which they lie in the buffer.
    #[must_use]
    pub fn layout(&self) -> &[ParameterInfo] {
        &self.layout
    }

    /// The flat buffer.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.values
    }

    /// The flat buffer, to be changed in place.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// The tensor of that name, or `None` where the architecture has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        let info = self.layout.iter().find(|info| info.name == name)?;
        Some(&self.values[info.range.clone()])
    }

    /// Number of weights.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no weight at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// blake3 over names, shapes and bytes, in hexadecimal: equal exactly where the weights are.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for info in self.layout.iter() {
            hasher.update(info.name.as_bytes());
            for size in &info.shape {
                hasher.update(&(*size as u64).to_le_bytes());
            }
            hasher.update_rayon(bytemuck::cast_slice(&self.values[info.range.clone()]));
        }
        hasher.finalize().to_hex().to_string()
    }
}
