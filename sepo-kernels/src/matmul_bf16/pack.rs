//! Rounding of operands to bf16, and their order in memory for the tiles
//!
//! A panel holds `W` lanes (rows of the left operand, columns of the right one), zeros where the matrix has fewer. It
//! goes from pair to pair of neighbouring terms; within a pair stand its `W` lanes, each as one `u32` with the first term
//! in the low half. The last pair of an odd number of terms ends with a zero.

use crate::matmul::{Mat, Threads};
use crate::simd::{Loop, MulAdd};
use rayon::prelude::*;
use std::ops::Range;

/// Panels of a parallel task: where lanes are neighbours in memory, it reads a few whole cache lines of each term
const PANELS_PER_TASK: usize = 8;

/// The nearest bf16 number, of two the one with an even mantissa; the bits of it, below zeros
///
/// As `vcvtne2ps2bf16` rounds: a number below the smallest normal one (2^-126) is a zero of its sign, what is beyond
/// the largest by half a step is infinite, and a not-a-number value stays one, made quiet.
#[inline(always)]
pub(super) fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
    let rounded = if x.is_nan() { (bits >> 16) | 0x40 } else { rounded };
    if bits & 0x7f80_0000 == 0 { (bits >> 16) & 0x8000 } else { rounded }
}

#[inline(always)]
fn pair(low: f32, high: f32) -> u32 {
    bf16(low) | (bf16(high) << 16)
}

/// Neighbouring panels to fill with `lanes` and the terms `depth`; lanes are the rows of `mat`, terms its columns
pub(super) struct Panels<'a, const W: usize> {
    pub(super) mat: Mat<'a>,
    pub(super) lanes: Range<usize>,
    pub(super) depth: Range<usize>,
    /// `n_pairs` for each `W` lanes or what is left of them
    pub(super) packed: &'a mut [[u32; W]],
}

impl<const W: usize> Panels<'_, W> {
    /// Pairs in a panel
    #[inline(always)]
    pub(super) fn n_pairs(&self) -> usize {
        self.depth.len().div_ceil(2)
    }

    /// Fills them by `pack`, in parallel tasks on the pool
    pub(super) fn fill(self, pack: impl Fn(Panels<'_, W>) + Sync, threads: Threads) {
        let task_lanes = PANELS_PER_TASK * W;
        let task_len = PANELS_PER_TASK * self.n_pairs();
        let Self { mat, lanes, depth, packed } = self;
        let task = |(i, packed): (usize, &mut [[u32; W]])| {
            let start = lanes.start + i * task_lanes;
            let lanes = start..lanes.end.min(start + task_lanes);
            pack(Panels { mat, lanes, depth: depth.clone(), packed });
        };
        match threads {
            Threads::One => packed.chunks_mut(task_len).enumerate().for_each(task),
            Threads::Pool => packed.par_chunks_mut(task_len).enumerate().for_each(task),
        }
    }
}

/// The portable way to fill panels
pub(super) struct Pack<'a, const W: usize>(pub(super) Panels<'a, W>);

impl<const W: usize> Loop for Pack<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let n_pairs = self.0.n_pairs();
        let Panels { mat, lanes, depth, packed } = self.0;
        for (start, panel) in lanes.clone().step_by(W).zip(packed.chunks_mut(n_pairs)) {
            let lanes = start..lanes.end.min(start + W);
            for (k, pairs) in depth.clone().step_by(2).zip(panel) {
                if mat.row_stride == 1 && lanes.len() == W && k + 1 < depth.end {
                    // A loop over neighbours, which becomes one over vectors.
                    let low = &mat.data[k * mat.col_stride..][lanes.clone()];
                    let high = &mat.data[(k + 1) * mat.col_stride..][lanes.clone()];
                    for ((to, &low), &high) in pairs.iter_mut().zip(low).zip(high) {
                        *to = pair(low, high);
                    }
                    continue;
                }
                *pairs = [0; W];
                for (lane, to) in lanes.clone().zip(pairs) {
                    let at = |k: usize| mat.data[lane * mat.row_stride + k * mat.col_stride];
                    *to = pair(at(k), if k + 1 < depth.end { at(k + 1) } else { 0.0 });
                }
            }
        }
    }
}
