//! What matrix products compute in.

use sepo_kernels::Precision;
use serde::{Deserialize, Serialize};

/// What matrix products compute in. Sums, weights, gradients and the log-sum-exp are `f32` or wider either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Operands as they are.
    #[default]
    F32,
    /// Operands rounded to bf16: half the time on CPUs with AVX512-BF16, slower elsewhere.
    Bf16,
}

impl Dtype {
    /// As flags and metadata write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }

    pub(crate) fn precision(self) -> Precision {
        match self {
            Self::F32 => Precision::F32,
            Self::Bf16 => Precision::Bf16,
        }
    }
}
