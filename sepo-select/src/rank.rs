//! Which of the candidates: ranked by score, or drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sepo_data::Side;
use sepo_kernels::{Extreme, KernelError, segment_topk};

/// Indices of the `count` highest or lowest scores, ascending; ties go to the lower index, and -0 equals 0.
pub(crate) fn rank(scores: &[f32], count: usize, extreme: Extreme) -> Result<Vec<u32>, KernelError> {
    segment_topk(scores, &[0, scores.len()], &[count], extreme)
}

/// `count` different indices below `n`, drawn by a stream that belongs to seed, row and side alone.
///
/// A partial Fisher-Yates shuffle: with 4 bytes a candidate, simple and exact. `count` is at most `n`.
pub(crate) fn draw(n: u32, count: usize, seed: u64, row: u64, side: Side) -> Vec<u32> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&row.to_le_bytes());
    key[16] = match side {
        Side::Chosen => 0,
        Side::Rejected => 1,
    };
    let mut rng = ChaCha8Rng::from_seed(key);
    let mut indices: Vec<u32> = (0..n).collect();
    for (i, left) in (0..count).zip((1..=n).rev()) {
        let j = i + below(&mut rng, left) as usize;
        indices.swap(i, j);
    }
    indices.truncate(count);
    indices
}

/// A uniform number below `bound`, which is not 0. Written out, because the library's own range sampling may change
/// from release to release, and a seed must go on meaning the same tokens.
fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    // Lemire's multiplication with rejection: the low half below `2^32 mod bound` is the surplus.
    let surplus = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        let [low, high] = [product & u64::from(u32::MAX), product >> 32];
        if low >= u64::from(surplus) {
            return u32::try_from(high).unwrap_or(0);
        }
    }
}
