//! Collision probabilities on the CPU
//!
//! ```text
//! for 1024 hidden rows
//!     for 1024 tokens of the vocabulary:  running maximum, Σ e^x and Σ e^2x
//! ```

use crate::gather_logps::tiles::{HIDDEN_ROWS, VOCAB_TILE, tile_logits, vocab_tiles};
use crate::simd::{self, Loop, MulAdd, vectorized};
use crate::{HeadStates, Precision, Write};
use rayon::prelude::*;

/// `Σ e^(x - max)` and `Σ e^2(x - max)`, taken tile by tile
#[derive(Clone, Copy)]
struct Sums {
    max: f32,
    first: f64,
    second: f64,
}

impl Sums {
    const EMPTY: Self = Self { max: f32::NEG_INFINITY, first: 0.0, second: 0.0 };

    fn add(&mut self, x: &[f32]) {
        let max = self.max.max(simd::max(x));
        let shift = if max == f32::NEG_INFINITY { 0.0 } else { max };
        let before = (f64::from(self.max) - f64::from(shift)).exp();
        let (first, second) = vectorized(Powers { x, shift });
        self.first = self.first * before + first;
        self.second = self.second * before * before + second;
        self.max = max;
    }

    /// `log Σ p²`; the maximum cancels
    fn log_collision(self) -> f64 {
        self.second.ln() - 2.0 * self.first.ln()
    }
}

/// `Σ e^(x - shift)` and the sum of its terms' squares
struct Powers<'a> {
    x: &'a [f32],
    shift: f32,
}

impl Loop for Powers<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<M: MulAdd>(self) -> (f64, f64) {
        const LANES: usize = 16;
        let (mut firsts, mut seconds) = ([0.0_f64; LANES], [0.0_f64; LANES]);
        for x in self.x.chunks(LANES) {
            for ((first, second), &x) in firsts.iter_mut().zip(&mut seconds).zip(x) {
                let power = f64::from(simd::exp::<M>(x - self.shift));
                *first += power;
                *second += power * power;
            }
        }
        (firsts.iter().sum(), seconds.iter().sum())
    }
}

pub(super) fn log_collisions(model: HeadStates<'_>, precision: Precision) -> Vec<f64> {
    let (n_hidden, vocab, d_model) = (model.n_hidden(), model.vocab(), model.d_model);
    let mut buffer = vec![0.0; n_hidden.min(HIDDEN_ROWS) * vocab.min(VOCAB_TILE)];
    let mut collisions = Vec::with_capacity(n_hidden);
    for hidden in model.hidden.chunks(HIDDEN_ROWS * d_model) {
        let mut sums = vec![Sums::EMPTY; hidden.len() / d_model];
        for tile in vocab_tiles(vocab) {
            let logits = &mut buffer[..sums.len() * tile.len()];
            tile_logits(hidden, model.lm_head, &tile, d_model, logits, precision, Write::Overwrite);
            sums.par_iter_mut().zip(logits.par_chunks(tile.len())).for_each(|(sums, x)| sums.add(x));
        }
        collisions.extend(sums.into_iter().map(Sums::log_collision));
    }
    collisions
}
