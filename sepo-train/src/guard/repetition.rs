//! Sampled responses that say the same again and again.

use std::collections::HashSet;

/// Tokens of the pieces that are compared.
const N: usize = 4;
/// Share of repeated pieces that is too much: 0.44 is that of a likelihood-trained model decoded greedily, that of people is
/// below 0.02 (seq-rep-4, arXiv 1908.04319).
const LIMIT: f64 = 0.25;

/// How much of sampled responses is repetition: the mean share of runs of four tokens that stood in the same response before.
///
/// # Examples
///
/// ```
/// use sepo_train::Repetition;
///
/// let mut repetition = Repetition::default();
/// repetition.push(&[1, 2, 3, 4, 5, 6, 7]);
/// assert_eq!((repetition.share(), repetition.is_high()), (Some(0.0), false));
/// repetition.push(&[1, 2, 1, 2, 1, 2, 1, 2]); // three of the five runs are repeated
/// assert_eq!((repetition.share(), repetition.is_high()), (Some(0.3), true));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Repetition {
    sum: f64,
    n: u32,
}

impl Repetition {
    /// Adds a response. One that is shorter than a run of four tokens counts as none.
    pub fn push(&mut self, ids: &[u32]) {
        let mut seen = HashSet::new();
        let n_repeated = ids.windows(N).filter(|window| !seen.insert(*window)).count();
        let n_windows = ids.len().saturating_sub(N - 1);
        if n_windows > 0 {
            #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
            let share = n_repeated as f64 / n_windows as f64;
            self.sum += share;
            self.n += 1;
        }
    }

    /// The mean share over responses; `None` where none was long enough.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / f64::from(self.n))
    }

    /// Whether a quarter and more is repeated, as from a model that has collapsed.
    #[must_use]
    pub fn is_high(&self) -> bool {
        self.share().is_some_and(|share| share >= LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_share_is_that_of_looking_at_every_earlier_run(ids in prop::collection::vec(0..3_u32, 4..60)) {
            let runs: Vec<&[u32]> = ids.windows(N).collect();
            let repeated = (0..runs.len()).filter(|i| runs[..*i].contains(&runs[*i])).count();
            let mut repetition = Repetition::default();
            repetition.push(&ids);
            repetition.push(&[1, 2]);
            prop_assert!((repetition.share().unwrap() - repeated as f64 / runs.len() as f64).abs() < 1e-12);
        }
    }
}
