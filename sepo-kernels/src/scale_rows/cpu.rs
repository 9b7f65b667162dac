//! Rows times factors on the CPU

use crate::tasks::rows_per_task;
use rayon::prelude::*;

pub(super) fn scale_rows(x: &mut [f32], d: usize, factors: &[f32]) {
    if d == 0 {
        return;
    }
    let n = rows_per_task(d);
    x.par_chunks_mut(n * d).zip(factors.par_chunks(n)).for_each(|(rows, factors)| {
        for (row, factor) in rows.chunks_exact_mut(d).zip(factors) {
            row.iter_mut().for_each(|x| *x *= factor);
        }
    });
}
