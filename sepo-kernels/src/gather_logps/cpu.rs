//! The fused head on the CPU
//!
//! ```text
//! for 1024 hidden rows that some row reads         (packed side by side)
//!     for 1024 tokens of the vocabulary            (a tile of logits: 4 MB)
//!         logits = hidden lm_headᵀ                 gemm, on all threads; kept for the way back while there is room
//!         forward:  running maximum and Σ exp      rows in parallel
//!         backward: dlogits in place, two gemms    rows in parallel
//! ```

use super::tiles::{Group, HIDDEN_ROWS, VOCAB_TILE, groups, pack, tile_logits, vocab_tiles};
use super::{GatheredLogps, HeadScratch, HeadShape};
use crate::log_sum_exp::LogSumExp;
use crate::matmul::{Mat, Product, Threads};
use crate::{Rows, Write, simd};
use rayon::prelude::*;
use std::ops::Range;

pub(super) fn gather_logps(
    hidden: &[f32],
    lm_head: &[f32],
    rows: &Rows,
    shape: HeadShape,
    scratch: &mut HeadScratch,
) -> GatheredLogps {
    let HeadShape { n_hidden, d_model, vocab } = shape;
    let groups = groups(rows, |_| true);
    let mut gathered = GatheredLogps {
        logps: vec![0.0; rows.len()],
        lse: vec![f64::NAN; n_hidden],
        pass: scratch.begin(groups.len(), vocab),
    };
    let GatheredLogps { logps, lse, .. } = &mut gathered;
    let HeadScratch { packed, tile: buffer, kept, n_kept, precision, .. } = scratch;
    let precision = *precision;
    buffer.resize(groups.len().min(HIDDEN_ROWS) * vocab.min(VOCAB_TILE), 0.0);
    for (first, groups) in (0..).step_by(HIDDEN_ROWS).zip(groups.chunks(HIDDEN_ROWS)) {
        pack(hidden, groups, d_model, packed);
        let mut sums = vec![LogSumExp::EMPTY; groups.len()];
        for tile in vocab_tiles(vocab) {
            let n_logits = groups.len() * tile.len();
            let logits = if first + groups.len() <= *n_kept {
                &mut kept[first * vocab + groups.len() * tile.start..][..n_logits]
            } else {
                &mut buffer[..n_logits]
            };
            tile_logits(packed, lm_head, &tile, d_model, logits, precision, Write::Overwrite);
            sums.par_iter_mut().zip(logits.par_chunks(tile.len())).for_each(|(sum, logits)| sum.add(logits));
            for (group, logits) in groups.iter().zip(logits.chunks(tile.len())) {
                for row in group.rows.clone() {
                    let target = rows.targets()[row] as usize;
                    if tile.contains(&target) {
                        logps[row] = f64::from(logits[target - tile.start]);
                    }
                }
            }
        }
        for (group, sum) in groups.iter().zip(&sums) {
            lse[group.hidden_row] = sum.value();
            logps[group.rows.clone()].iter_mut().for_each(|logp| *logp -= sum.value());
        }
    }
    gathered
}

/// Where the backward pass leaves its gradients
pub(super) struct Grads<'a> {
    pub(super) dhidden: &'a mut [f32],
    pub(super) dlm_head: &'a mut [f32],
}

#[expect(clippy::too_many_arguments, reason = "inputs, what the forward pass kept, and buffers")]
pub(super) fn gather_logps_backward(
    hidden: &[f32],
    lm_head: &[f32],
    rows: &Rows,
    gathered: &GatheredLogps,
    dlogps: &[f64],
    grads: Grads<'_>,
    shape: HeadShape,
    scratch: &mut HeadScratch,
) {
    let HeadShape { d_model, vocab, .. } = shape;
    grads.dhidden.fill(0.0);
    let groups = groups(rows, |row| dlogps[row] != 0.0);
    // Kept logits are those of all rows that the forward pass read: of no use where some are left out now.
    let n_kept = scratch.take_kept(gathered, groups.len());
    let HeadScratch { packed, dpacked, tile: buffer, kept, precision, .. } = scratch;
    let matmul = precision.matmul();
    let precision = *precision;
    buffer.resize(groups.len().min(HIDDEN_ROWS) * vocab.min(VOCAB_TILE), 0.0);
    for (first, groups) in (0..).step_by(HIDDEN_ROWS).zip(groups.chunks(HIDDEN_ROWS)) {
        let n_rows = groups.len();
        pack(hidden, groups, d_model, packed);
        dpacked.clear();
        dpacked.resize(packed.len(), 0.0);
        for tile in vocab_tiles(vocab) {
            let n_logits = n_rows * tile.len();
            let dlogits = if first + n_rows <= n_kept {
                &mut kept[first * vocab + n_rows * tile.start..][..n_logits]
            } else {
                let logits = &mut buffer[..n_logits];
                tile_logits(packed, lm_head, &tile, d_model, logits, precision, Write::Overwrite);
                &mut buffer[..n_logits]
            };
            groups.par_iter().zip(dlogits.par_chunks_mut(tile.len())).for_each(|(group, logits)| {
                logits_to_gradient(logits, &tile, group, rows, gathered.lse[group.hidden_row], dlogps);
            });
            let dlogits = Mat::rows(dlogits, tile.len());
            let weights = tile.start * d_model..tile.end * d_model;
            let to_hidden = Product { m: n_rows, n: d_model, k: tile.len(), scale: 1.0 };
            let weight = Mat::rows(&lm_head[weights.clone()], d_model);
            matmul(dlogits, weight, dpacked, d_model, to_hidden, Write::Add, Threads::Pool);
            let to_weight = Product { m: tile.len(), n: d_model, k: n_rows, scale: 1.0 };
            let (dlogits, dweight) = (dlogits.transposed(), &mut grads.dlm_head[weights]);
            let packed = Mat::rows(packed, d_model);
            matmul(dlogits, packed, dweight, d_model, to_weight, Write::Add, Threads::Pool);
        }
        for (group, dpacked) in groups.iter().zip(dpacked.chunks_exact(d_model.max(1))) {
            grads.dhidden[group.hidden_row * d_model..][..d_model].copy_from_slice(dpacked);
        }
    }
}

/// Replaces one hidden row's logits by `Σ_r dlogps[r] (1[v = targets[r]] - p[v])`
#[expect(clippy::cast_possible_truncation, reason = "gradients of the network are f32")]
fn logits_to_gradient(
    logits: &mut [f32],
    tile: &Range<usize>,
    group: &Group,
    rows: &Rows,
    lse: f64,
    dlogps: &[f64],
) {
    let total: f64 = dlogps[group.rows.clone()].iter().sum();
    // The shift is an f32; what rounding took from the log-sum-exp goes into the factor.
    let shift = lse as f32;
    let factor = -total * (f64::from(shift) - lse).exp();
    simd::scaled_exp(logits, shift, factor as f32);
    for row in group.rows.clone() {
        let target = rows.targets()[row] as usize;
        if tile.contains(&target) {
            logits[target - tile.start] += dlogps[row] as f32;
        }
    }
}
