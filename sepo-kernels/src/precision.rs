//! How matrix products round their operands

use crate::Write;
use crate::matmul::{Mat, Product, Threads, matmul};
use crate::matmul_bf16::matmul_bf16;

/// How matrix products round their operands
///
/// Sums are `f32` either way, and so is all that stands in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Not at all
    #[default]
    F32,
    /// To bf16, the nearest number with 8 significant bits, of two the one with an even mantissa
    ///
    /// Magnitudes below 2^-126 count as zero. About twice as fast where the machine has AVX512-BF16, and slower than
    /// [`Precision::F32`] elsewhere.
    Bf16,
}

/// A matrix product `out (+)= scale * a b`, as [`matmul`]
pub(crate) type Matmul = fn(Mat<'_>, Mat<'_>, &mut [f32], usize, Product, Write, Threads);

impl Precision {
    /// The matrix product that rounds this way
    pub(crate) fn matmul(self) -> Matmul {
        match self {
            Self::F32 => matmul,
            Self::Bf16 => matmul_bf16,
        }
    }
}
