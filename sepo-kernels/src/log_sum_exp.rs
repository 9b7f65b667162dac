//! A log-sum-exp over a row that comes in tiles

use crate::simd;

/// A log-sum-exp that takes its terms tile by tile
#[derive(Clone, Copy)]
pub(crate) struct LogSumExp {
    max: f32,
    sum: f64,
}

impl LogSumExp {
    pub(crate) const EMPTY: Self = Self { max: f32::NEG_INFINITY, sum: 0.0 };

    pub(crate) fn add(&mut self, logits: &[f32]) {
        let max = self.max.max(simd::max(logits));
        // Terms that are all -inf, or not-a-number, leave no finite maximum: shift by 0, so that the former add
        // nothing and the latter spoil the sum.
        let shift = if max == f32::NEG_INFINITY { 0.0 } else { max };
        self.sum =
            self.sum * (f64::from(self.max) - f64::from(shift)).exp() + simd::sum_of_exp(logits, shift);
        self.max = max;
    }

    pub(crate) fn value(self) -> f64 {
        f64::from(self.max) + self.sum.ln()
    }
}
