//! Which instructions pack and multiply: the one place that chooses

#[cfg(target_arch = "x86_64")]
use super::avx512::Detected;
use super::pack::{Pack, Panels};
use super::portable::Multiply;
use super::tile::{MR, NR, Tile};
use crate::simd::vectorized;

/// What packs and multiplies
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instructions {
    /// AVX512-BF16
    #[cfg(target_arch = "x86_64")]
    Avx512(Detected),
    /// plain Rust, as wide as the machine's registers
    Portable,
}

impl Instructions {
    /// The fastest that this machine can run
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(detected) = Detected::new() {
            return Self::Avx512(detected);
        }
        Self::Portable
    }

    /// The tile of the rows in the panel `a` and the columns in the panel `b`
    #[inline]
    pub(super) fn multiply(self, a: &[[u32; MR]], b: &[[u32; NR]]) -> Tile {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(detected) => detected.multiply(a, b),
            Self::Portable => vectorized(Multiply { a, b }),
        }
    }

    /// Asks for what stands at `x`, which is read soon
    #[inline]
    pub(super) fn prefetch(self, x: &[f32]) {
        #[cfg(target_arch = "x86_64")]
        if let Self::Avx512(detected) = self {
            detected.prefetch(x);
        }
    }

    /// Fills the panels; the bits are those of any other instructions
    pub(super) fn pack<const W: usize>(self, panels: Panels<'_, W>) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(detected) if panels.mat.col_stride == 1 => detected.transpose(panels),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(detected) if panels.mat.row_stride == 1 => detected.interleave(panels),
            _ => vectorized(Pack(panels)),
        }
    }
}
