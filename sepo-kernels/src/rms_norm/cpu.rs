//! Root-mean-square normalisation on the CPU

use crate::Write;
use crate::simd::{Loop, MulAdd, dot_body, dot3_body, vectorized};
use crate::tasks::{rows_per_task, sum_partials};
use rayon::prelude::*;

pub(super) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inv_rms: &mut [f32]) {
    let d = weight.len();
    if x.is_empty() {
        return;
    }
    let n_rows = rows_per_task(d);
    let tasks =
        y.par_chunks_mut(n_rows * d).zip(inv_rms.par_chunks_mut(n_rows)).zip(x.par_chunks(n_rows * d));
    tasks.for_each(|((y, inv_rms), x)| {
        for ((y, inv_rms), x) in y.chunks_exact_mut(d).zip(inv_rms).zip(x.chunks_exact(d)) {
            *inv_rms = vectorized(Row { x, weight, eps, y });
        }
    });
}

/// One row of the forward pass; returns its `inv_rms`
struct Row<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    eps: f32,
    y: &'a mut [f32],
}

impl Loop for Row<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> f32 {
        let Self { x, weight, eps, y } = self;
        let inv_rms = 1.0 / (dot_body::<M>(x, x) / x.len() as f32 + eps).sqrt();
        for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
            *y = weight * (x * inv_rms);
        }
        inv_rms
    }
}

pub(super) fn rms_norm_backward(
    x: &[f32],
    weight: &[f32],
    inv_rms: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dweight: &mut [f32],
    write: Write,
) {
    let d = weight.len();
    if x.is_empty() {
        return;
    }
    let n_rows = rows_per_task(d);
    let inputs = x.par_chunks(n_rows * d).zip(dy.par_chunks(n_rows * d)).zip(inv_rms.par_chunks(n_rows));
    let tasks = dx.par_chunks_mut(n_rows * d).zip(inputs);
    let partials: Vec<Vec<f32>> = tasks
        .map(|(dx, ((x, dy), inv_rms))| {
            let mut sums = vec![0.0; d];
            let rows = x.chunks_exact(d).zip(dy.chunks_exact(d)).zip(inv_rms);
            for (dx, ((x, dy), &inv_rms)) in dx.chunks_exact_mut(d).zip(rows) {
                vectorized(BackwardRow { x, dy, weight, inv_rms, dx, sums: &mut sums, write });
            }
            sums
        })
        .collect();
    sum_partials(&partials, dweight);
}

/// One row of the backward pass; `sums` is the task's share of the weight's gradient
struct BackwardRow<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    weight: &'a [f32],
    inv_rms: f32,
    dx: &'a mut [f32],
    sums: &'a mut [f32],
    write: Write,
}

impl Loop for BackwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { x, dy, weight, inv_rms, dx, sums, write } = self;
        for ((sum, dy), x) in sums.iter_mut().zip(dy).zip(x) {
            *sum += dy * (x * inv_rms);
        }
        let mean = dot3_body::<M>(dy, weight, x) * inv_rms / x.len() as f32;
        let values = dy.iter().zip(weight).zip(x);
        match write {
            Write::Overwrite => {
                for (dx, ((dy, weight), x)) in dx.iter_mut().zip(values) {
                    *dx = inv_rms * (dy * weight - x * inv_rms * mean);
                }
            }
            Write::Add => {
                for (dx, ((dy, weight), x)) in dx.iter_mut().zip(values) {
                    *dx += inv_rms * (dy * weight - x * inv_rms * mean);
                }
            }
        }
    }
}
