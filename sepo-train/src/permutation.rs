//! A random order by swaps that depend on nothing but its seed.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A random order of `0..n` that depends on `seed` and `epoch` alone.
///
/// Fisher-Yates over `ChaCha8`, with rejection so that every order is equally likely. Written out, because a library's
/// shuffle may change its stream between releases, and a run must resume in the order in which it began.
///
/// # Examples
///
/// ```
/// use sepo_train::permutation;
///
/// let order = permutation(5, 7, 0);
/// assert_eq!(order, permutation(5, 7, 0));
/// let mut sorted = order.clone();
/// sorted.sort_unstable();
/// assert_eq!(sorted, [0, 1, 2, 3, 4]);
/// ```
#[must_use]
pub fn permutation(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for (last, other) in Swaps::new(n, seed, epoch) {
        order.swap(last, other);
    }
    order
}

/// The same order of `0..n` as [`permutation`] makes, in half the memory.
#[must_use]
pub fn permutation_of_u32(n: u32, seed: u64, epoch: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    for (last, other) in Swaps::new(order.len(), seed, epoch) {
        order.swap(last, other);
    }
    order
}

/// The swaps that make the order out of `0..n`, in turn: of the places `n - 1` down to 1, each with one at or before it.
#[derive(Debug)]
pub(crate) struct Swaps {
    rng: ChaCha8Rng,
    /// Places below it still wait for their swap.
    left: usize,
}

impl Swaps {
    pub(crate) fn new(n: usize, seed: u64, epoch: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&epoch.to_le_bytes());
        Self { rng: ChaCha8Rng::from_seed(key), left: n }
    }
}

impl Iterator for Swaps {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        let last = self.left.checked_sub(1).filter(|last| *last > 0)?;
        self.left = last;
        Some((last, below(&mut self.rng, last as u64 + 1)))
    }
}

/// A uniform number below `bound`: draws from the incomplete last multiple of `bound` are thrown away.
#[expect(clippy::cast_possible_truncation, reason = "the result is below a bound that came from a usize")]
fn below(rng: &mut ChaCha8Rng, bound: u64) -> usize {
    let whole = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = rng.next_u64();
        if drawn < whole {
            return (drawn % bound) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_never_changes_between_releases() {
        // From another program: the ChaCha8 block function and Fisher-Yates, written out in Python.
        assert_eq!(permutation(8, 0, 0), [2, 1, 3, 7, 0, 4, 5, 6]);
        assert_eq!(permutation(8, 0, 1), [3, 7, 2, 1, 4, 0, 6, 5]);
        assert_eq!(permutation(8, 1, 0), [1, 3, 2, 6, 4, 0, 5, 7]);
    }

    #[test]
    fn every_place_is_equally_likely() {
        let mut counts = [[0_u32; 5]; 5];
        for seed in 0..5000 {
            for (place, value) in permutation(5, seed, 3).into_iter().enumerate() {
                counts[place][value] += 1;
            }
        }
        // Binomial(5000, 1/5): standard deviation 28; five of them.
        assert!(counts.iter().flatten().all(|&n| n.abs_diff(1000) < 142), "{counts:?}");
    }

    #[test]
    fn nothing_to_shuffle_is_no_error() {
        assert!(permutation(0, 1, 2).is_empty());
        assert_eq!(permutation(1, 1, 2), [0]);
    }
}
