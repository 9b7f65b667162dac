//! The squared norm on the CPU

use crate::simd::{Loop, MulAdd, vectorized};
use crate::tasks::TASK_LEN;
use rayon::prelude::*;

pub(super) fn sum_of_squares(x: &[f32]) -> f64 {
    // Collected first: a parallel sum would add in an order that depends on the threads.
    let sums: Vec<f64> = x.par_chunks(TASK_LEN).map(|x| vectorized(SumOfSquares { x })).collect();
    sums.iter().sum()
}

/// One task's piece
struct SumOfSquares<'a> {
    x: &'a [f32],
}

impl Loop for SumOfSquares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> f64 {
        let Self { x } = self;
        let mut lanes = [0.0_f64; 16];
        for chunk in x.chunks(16) {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(x) * f64::from(x);
            }
        }
        lanes.iter().sum()
    }
}
