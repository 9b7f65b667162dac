//! Random draws that mean the same on every platform and with every release of the generators beneath.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Which of the built-in texts a seed is used for: one seed gives each an unrelated stream.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Pairs = 1,
    Base = 2,
    Eval = 3,
}

/// A seeded source of draws.
///
/// Only the generator's raw words are used: how a range or a float is made from them is fixed here, so an update of
/// `rand` cannot change the data.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    rng: ChaCha8Rng,
}

impl Draws {
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream as u64);
        Self { rng }
    }

    /// A number in `0..n`. Its bias is below n / 2³².
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.rng.next_u32()) * n as u128) >> 32) as usize
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `share`.
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    pub(crate) fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let first = |stream| Draws::new(7, stream).rng.next_u64();
        assert_eq!(first(Stream::Pairs), first(Stream::Pairs));
        assert_ne!(first(Stream::Pairs), first(Stream::Base));
        assert_ne!(first(Stream::Base), first(Stream::Eval));
    }

    #[test]
    fn draws_stay_in_range() {
        let mut draws = Draws::new(1, Stream::Pairs);
        assert!((0..1000).all(|_| draws.below(3) < 3 && draws.unit() < 1.0));
        assert!(!draws.happens(0.0));
        assert!(draws.happens(1.0));
    }
}
