//! The order of the examples: a permutation for every epoch, and a place in it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

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
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, below(&mut rng, last as u64 + 1));
    }
    order
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

/// A place in the data: `index` examples of epoch `epoch` have been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Examples taken in this epoch; less than the number of examples.
    pub index: usize,
}

impl Cursor {
    /// Epochs passed, as a fraction.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn epochs(self, n_examples: usize) -> f64 {
        self.epoch as f64 + self.index as f64 / n_examples.max(1) as f64
    }
}

/// Batches of example numbers in shuffled order. A batch never reaches over the end of an epoch: the last one of an
/// epoch may be smaller.
#[derive(Debug)]
pub(crate) struct Shuffler {
    seed: u64,
    cursor: Cursor,
    order: Vec<usize>,
}

impl Shuffler {
    pub(crate) fn new(n_examples: usize, seed: u64, cursor: Cursor) -> Self {
        Self { seed, cursor, order: permutation(n_examples, seed, cursor.epoch) }
    }

    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor
    }

    pub(crate) fn next_batch(&mut self, batch_size: usize) -> Vec<usize> {
        let n = self.order.len();
        let end = self.cursor.index.saturating_add(batch_size).min(n);
        let batch = self.order[self.cursor.index..end].to_vec();
        self.cursor.index = end;
        if end == n {
            self.cursor = Cursor { epoch: self.cursor.epoch + 1, index: 0 };
            self.order = permutation(n, self.seed, self.cursor.epoch);
        }
        batch
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
    fn an_epoch_takes_every_example_once_and_a_resumed_one_goes_on() {
        let mut whole = Shuffler::new(7, 9, Cursor::default());
        let batches: Vec<Vec<usize>> = (0..6).map(|_| whole.next_batch(3)).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1, 3, 3, 1]);
        for epoch in batches.chunks(3) {
            let mut seen = epoch.concat();
            seen.sort_unstable();
            assert_eq!(seen, (0..7).collect::<Vec<_>>());
        }
        let mut first = Shuffler::new(7, 9, Cursor::default());
        for taken in 0..6 {
            let mut resumed = Shuffler::new(7, 9, first.cursor());
            for batch in &batches[taken..] {
                assert_eq!(&resumed.next_batch(3), batch);
            }
            first.next_batch(3);
        }
    }

    #[test]
    fn nothing_to_shuffle_is_no_error() {
        assert!(permutation(0, 1, 2).is_empty());
        assert_eq!(permutation(1, 1, 2), [0]);
    }
}
