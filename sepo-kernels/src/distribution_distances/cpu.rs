//! Distances of distributions on the CPU
//!
//! ```text
//! for 1024 hidden rows
//!     for 1024 tokens of the vocabulary:  running maximum and Σ e^x of both sides
//!     for 1024 tokens of the vocabulary:  Σ |e^(a - lse a) - e^(b - lse b)|
//! ```

use crate::gather_logps::tiles::{HIDDEN_ROWS, VOCAB_TILE, tile_logits, vocab_tiles};
use crate::log_sum_exp::LogSumExp;
use crate::simd::{self, Loop, MulAdd, vectorized};
use crate::{HeadStates, Precision, Write};
use rayon::prelude::*;
use std::ops::Range;

/// What is taken off a logit, in `f32`, and the factor that makes up for its rounding
#[derive(Clone, Copy)]
struct Shift {
    shift: f32,
    factor: f32,
}

impl Shift {
    #[expect(clippy::cast_possible_truncation, reason = "the factor makes up for it")]
    fn by(sum: LogSumExp) -> Self {
        let lse = sum.value();
        let shift = lse as f32;
        Self { shift, factor: (f64::from(shift) - lse).exp() as f32 }
    }
}

/// `Σ |factor e^(x - shift) - factor' e^(y - shift')|`
struct Differences<'a> {
    x: &'a [f32],
    y: &'a [f32],
    shifts: [Shift; 2],
}

impl Loop for Differences<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> f64 {
        const LANES: usize = 16;
        let [Shift { shift: shift_x, factor: factor_x }, Shift { shift: shift_y, factor: factor_y }] =
            self.shifts;
        let mut sums = [0.0_f64; LANES];
        for (x, y) in self.x.chunks(LANES).zip(self.y.chunks(LANES)) {
            for (sum, (&x, &y)) in sums.iter_mut().zip(x.iter().zip(y)) {
                let p = factor_x * simd::exp::<M>(x - shift_x);
                let q = factor_y * simd::exp::<M>(y - shift_y);
                *sum += f64::from((p - q).abs());
            }
        }
        sums.iter().sum()
    }
}

/// Some hidden rows of both models, and a tile of logits of each
struct Tiles<'a> {
    models: [HeadStates<'a>; 2],
    rows: Range<usize>,
    buffers: [Vec<f32>; 2],
    precision: Precision,
}

impl Tiles<'_> {
    /// The logits of both, `[rows, tile]`
    fn at(&mut self, tile: &Range<usize>) -> [&[f32]; 2] {
        let n = self.rows.len() * tile.len();
        for (model, buffer) in self.models.iter().zip(&mut self.buffers) {
            buffer.resize(n, 0.0);
            let hidden = &model.hidden[self.rows.start * model.d_model..self.rows.end * model.d_model];
            tile_logits(hidden, model.lm_head, tile, model.d_model, buffer, self.precision, Write::Overwrite);
        }
        self.buffers.each_ref().map(|buffer| &buffer[..n])
    }
}

pub(super) fn distribution_distances(
    one: HeadStates<'_>,
    other: HeadStates<'_>,
    precision: Precision,
) -> Vec<f64> {
    let (n_hidden, vocab) = (one.n_hidden(), one.vocab());
    let mut distances = vec![0.0; n_hidden];
    let buffer = || Vec::with_capacity(n_hidden.min(HIDDEN_ROWS) * vocab.min(VOCAB_TILE));
    let mut tiles = Tiles { models: [one, other], rows: 0..0, buffers: [buffer(), buffer()], precision };
    for start in (0..n_hidden).step_by(HIDDEN_ROWS) {
        tiles.rows = start..n_hidden.min(start + HIDDEN_ROWS);
        let mut sums = vec![[LogSumExp::EMPTY; 2]; tiles.rows.len()];
        for tile in vocab_tiles(vocab) {
            let [a, b] = tiles.at(&tile);
            let logits = a.par_chunks(tile.len()).zip(b.par_chunks(tile.len()));
            sums.par_iter_mut().zip(logits).for_each(|([one, other], (a, b))| {
                one.add(a);
                other.add(b);
            });
        }
        let shifts: Vec<[Shift; 2]> = sums.into_iter().map(|sums| sums.map(Shift::by)).collect();
        let distances = &mut distances[tiles.rows.clone()];
        for tile in vocab_tiles(vocab) {
            let [a, b] = tiles.at(&tile);
            let logits = a.par_chunks(tile.len()).zip(b.par_chunks(tile.len()));
            distances.par_iter_mut().zip(&shifts).zip(logits).for_each(|((distance, &shifts), (x, y))| {
                *distance += vectorized(Differences { x, y, shifts });
            });
        }
    }
    distances
}
