//! Layer normalisation on the CPU

use super::{LayerNormForward, LayerNormGrads};
use crate::Write;
use crate::simd::{Loop, MulAdd, dot_body, dot3_body, sum_body, vectorized};
use crate::tasks::{rows_per_task, sum_partials};
use rayon::prelude::*;

pub(super) fn layer_norm(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    y: &mut [f32],
    mean: &mut [f32],
    inv_std: &mut [f32],
) {
    let d = weight.len();
    if x.is_empty() {
        return;
    }
    let n_rows = rows_per_task(d);
    let statistics = mean.par_chunks_mut(n_rows).zip(inv_std.par_chunks_mut(n_rows));
    let tasks = y.par_chunks_mut(n_rows * d).zip(x.par_chunks(n_rows * d)).zip(statistics);
    tasks.for_each(|((y, x), (mean, inv_std))| {
        let rows = y.chunks_exact_mut(d).zip(x.chunks_exact(d));
        for ((y, x), (mean, inv_std)) in rows.zip(mean.iter_mut().zip(inv_std)) {
            (*mean, *inv_std) = vectorized(Row { x, weight, bias, eps, y });
        }
    });
}

/// One row of the forward pass; returns its mean and inverse standard deviation
struct Row<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
    y: &'a mut [f32],
}

impl Loop for Row<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run<M: MulAdd>(self) -> (f32, f32) {
        let Self { x, weight, bias, eps, y } = self;
        let d = x.len() as f32;
        let mean = sum_body(x) / d;
        for (y, x) in y.iter_mut().zip(x) {
            *y = x - mean;
        }
        // Two passes: the one-pass variance cancels where the mean is large.
        let inv_std = 1.0 / (dot_body::<M>(y, y) / d + eps).sqrt();
        for ((y, weight), bias) in y.iter_mut().zip(weight).zip(bias) {
            *y = weight * (*y * inv_std) + bias;
        }
        (mean, inv_std)
    }
}

pub(super) fn layer_norm_backward(
    forward: LayerNormForward<'_>,
    dy: &[f32],
    grads: LayerNormGrads<'_>,
    write: Write,
) {
    let LayerNormForward { x, weight, mean, inv_std } = forward;
    let d = weight.len();
    if x.is_empty() {
        return;
    }
    let n_rows = rows_per_task(d);
    let statistics = mean.par_chunks(n_rows).zip(inv_std.par_chunks(n_rows));
    let inputs = x.par_chunks(n_rows * d).zip(dy.par_chunks(n_rows * d)).zip(statistics);
    let (dweights, dbiases): (Vec<Vec<f32>>, Vec<Vec<f32>>) = grads
        .dx
        .par_chunks_mut(n_rows * d)
        .zip(inputs)
        .map(|(dx, ((x, dy), (mean, inv_std)))| {
            let (mut dweight, mut dbias) = (vec![0.0; d], vec![0.0; d]);
            let mut normed = vec![0.0; d];
            for (r, dx) in dx.chunks_exact_mut(d).enumerate() {
                vectorized(BackwardRow {
                    x: &x[r * d..(r + 1) * d],
                    dy: &dy[r * d..(r + 1) * d],
                    weight,
                    mean: mean[r],
                    inv_std: inv_std[r],
                    normed: &mut normed,
                    dx,
                    dweight: &mut dweight,
                    dbias: &mut dbias,
                    write,
                });
            }
            (dweight, dbias)
        })
        .unzip();
    sum_partials(&dweights, grads.dweight);
    sum_partials(&dbiases, grads.dbias);
}

/// One row of the backward pass; `normed` is scratch, `dweight` and `dbias` are the task's shares
struct BackwardRow<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    weight: &'a [f32],
    mean: f32,
    inv_std: f32,
    normed: &'a mut [f32],
    dx: &'a mut [f32],
    dweight: &'a mut [f32],
    dbias: &'a mut [f32],
    write: Write,
}

impl Loop for BackwardRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { x, dy, weight, mean, inv_std, normed, dx, dweight, dbias, write } = self;
        let d = x.len() as f32;
        for (normed, x) in normed.iter_mut().zip(x) {
            *normed = (x - mean) * inv_std;
        }
        for (((dweight, dbias), dy), normed) in dweight.iter_mut().zip(dbias).zip(dy).zip(&*normed) {
            *dweight += dy * normed;
            *dbias += dy;
        }
        let mean_g = dot_body::<M>(dy, weight) / d;
        let mean_gn = dot3_body::<M>(dy, weight, normed) / d;
        let values = dy.iter().zip(weight).zip(&*normed);
        match write {
            Write::Overwrite => {
                for (dx, ((dy, weight), normed)) in dx.iter_mut().zip(values) {
                    *dx = inv_std * (dy * weight - mean_g - normed * mean_gn);
                }
            }
            Write::Add => {
                for (dx, ((dy, weight), normed)) in dx.iter_mut().zip(values) {
                    *dx += inv_std * (dy * weight - mean_g - normed * mean_gn);
                }
            }
        }
    }
}
