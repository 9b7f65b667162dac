//! Embedding on the CPU

use crate::tasks::rows_per_task;
use rayon::prelude::*;

pub(super) fn embedding(table: &[f32], ids: &[u32], d_model: usize, out: &mut [f32]) {
    if out.is_empty() {
        return;
    }
    let n_rows = rows_per_task(d_model);
    out.par_chunks_mut(n_rows * d_model).zip(ids.par_chunks(n_rows)).for_each(|(out, ids)| {
        for (out, &id) in out.chunks_exact_mut(d_model).zip(ids) {
            out.copy_from_slice(&table[id as usize * d_model..][..d_model]);
        }
    });
}

/// Each task owns a run of table rows, so that no two tasks write the same row
pub(super) fn embedding_backward(ids: &[u32], dout: &[f32], d_model: usize, dtable: &mut [f32]) {
    if dout.is_empty() {
        return;
    }
    let mut tokens: Vec<usize> = (0..ids.len()).collect();
    tokens.sort_by_key(|&token| ids[token]); // stable: equal ids keep the order of their tokens
    let n_rows = rows_per_task(d_model);
    dtable.par_chunks_mut(n_rows * d_model).enumerate().for_each(|(task, rows)| {
        let first = task * n_rows;
        let from = tokens.partition_point(|&token| (ids[token] as usize) < first);
        for &token in &tokens[from..] {
            let row = ids[token] as usize - first;
            if row >= n_rows {
                break;
            }
            let row = &mut rows[row * d_model..][..d_model];
            for (row, dout) in row.iter_mut().zip(&dout[token * d_model..]) {
                *row += dout;
            }
        }
    });
}
