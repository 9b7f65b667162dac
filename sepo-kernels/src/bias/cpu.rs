//! Biases on the CPU

use crate::tasks::{rows_per_task, sum_partials};
use rayon::prelude::*;

pub(super) fn add_bias(y: &mut [f32], bias: &[f32]) {
    let d = bias.len();
    if d == 0 {
        return;
    }
    y.par_chunks_mut(rows_per_task(d) * d).for_each(|rows| {
        for row in rows.chunks_exact_mut(d) {
            for (y, b) in row.iter_mut().zip(bias) {
                *y += b;
            }
        }
    });
}

pub(super) fn bias_backward(dy: &[f32], dbias: &mut [f32]) {
    let d = dbias.len();
    if d == 0 {
        return;
    }
    let partials: Vec<Vec<f32>> = dy
        .par_chunks(rows_per_task(d) * d)
        .map(|rows| {
            let mut sums = vec![0.0; d];
            for row in rows.chunks_exact(d) {
                for (sum, dy) in sums.iter_mut().zip(row) {
                    *sum += dy;
                }
            }
            sums
        })
        .collect();
    sum_partials(&partials, dbias);
}
