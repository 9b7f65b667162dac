//! Rotary position embedding on the CPU

use super::RotaryTable;
use crate::tasks::rows_per_task;
use rayon::prelude::*;

/// Turns every head by `direction` (1 or -1) times the angle of its position
pub(super) fn rotate(
    x: &mut [f32],
    positions: &[u32],
    table: &RotaryTable,
    token_len: usize,
    head_dim: usize,
    direction: f32,
) {
    if x.is_empty() {
        return;
    }
    let n_tokens = rows_per_task(token_len);
    let half = table.rotary_dim() / 2;
    x.par_chunks_mut(n_tokens * token_len).zip(positions.par_chunks(n_tokens)).for_each(|(x, positions)| {
        for (token, &position) in x.chunks_exact_mut(token_len).zip(positions) {
            let (cos, sin) = (table.cos(position as usize), table.sin(position as usize));
            for head in token.chunks_exact_mut(head_dim) {
                let (first, rest) = head.split_at_mut(half);
                for (((a, b), cos), sin) in first.iter_mut().zip(rest).zip(cos).zip(sin) {
                    let sin = direction * sin;
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    });
}
