//! Inputs in stated shares.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::DataError;

/// Inputs as one stream in which each has its share.
///
/// For each pair an input is drawn, with a probability in proportion to its weight, and gives its next pair; so each input's
/// pairs keep their order, none comes twice, and an input is read no further than it is drawn. Rows that cannot be used and
/// duplicates that are left out do not count: the input drawn gives what comes behind them. Draws are ChaCha8's, so weights,
/// seed and inputs decide the stream, on every platform.
///
/// # When an input has no more pairs
///
/// See [`MixEnd`].
///
/// # Examples
///
/// ```
/// use sepo_data::{Mix, PairSource, SourceConfig};
///
/// let dir = tempfile::tempdir()?;
/// let inputs = ["a.jsonl", "b.jsonl"].map(|name| dir.path().join(name).display().to_string());
/// for input in &inputs {
///     let row = |i| format!("{{\"prompt_ids\": [], \"chosen_ids\": [{i}], \"rejected_ids\": [0]}}\n");
///     std::fs::write(input, (1..1000).map(row).collect::<String>())?;
/// }
/// let mix = Mix { weights: vec![3.0, 1.0], ..Mix::default() };
/// let mut source = PairSource::open(&inputs, &SourceConfig { mix: Some(mix), ..SourceConfig::default() })?;
/// let n = source.by_ref().count() as f64;
/// let counts = source.tally().counts();
/// assert_eq!(counts.inputs[0], 999); // The mix ends with the input that runs out first.
/// assert!((counts.inputs[0] as f64 / n - 0.75).abs() < 0.05);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Mix {
    /// One an input (a file, a folder or a glob), in their order: finite, above 0. Their sum may be anything.
    pub weights: Vec<f64>,
    /// Seed of the draws.
    pub seed: u64,
    /// What happens when an input has no more pairs.
    pub end: MixEnd,
}

/// What happens when the input drawn has no more pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MixEnd {
    /// The stream ends: the shares hold up to its end, and what other inputs still have is not used.
    #[default]
    First,
    /// The others go on, with their weights among each other, until all have ended: every pair is used.
    All,
}

impl Mix {
    /// Nothing, where the weights can be used for so many inputs.
    pub(super) fn check(&self, n_inputs: usize) -> Result<(), DataError> {
        if n_inputs < 2 || self.weights.len() != n_inputs {
            return Err(DataError::MixCount { n_weights: self.weights.len(), n_inputs });
        }
        let unusable = |weight: &f64| !(weight.is_finite() && *weight > 0.0);
        // Shares are of the sum, which must be a number, too.
        let sum: f64 = self.weights.iter().sum();
        let too_large = |weight: &f64| sum.is_infinite() && *weight > 1.0;
        let found =
            self.weights.iter().position(unusable).or_else(|| self.weights.iter().position(too_large));
        match found {
            Some(input) => Err(DataError::MixWeight { input, weight: self.weights[input] }),
            None => Ok(()),
        }
    }
}

/// The draws of a mix.
#[derive(Debug)]
pub(super) struct Draws {
    rng: ChaCha8Rng,
    /// 0 for an input that has ended.
    weights: Vec<f64>,
    end: MixEnd,
}

impl Draws {
    pub(super) fn new(mix: &Mix) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&mix.seed.to_le_bytes());
        Self { rng: ChaCha8Rng::from_seed(key), weights: mix.weights.clone(), end: mix.end }
    }

    /// The input whose turn it is; `None` where there is none left.
    pub(super) fn draw(&mut self) -> Option<usize> {
        let sum: f64 = self.weights.iter().sum();
        // 53 random bits in [0, 1).
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let drawn = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        let mut below = 0.0;
        let mut last = None;
        for (input, weight) in self.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            below += weight;
            last = Some(input);
            if drawn < below {
                break;
            }
        }
        last
    }

    /// Says that an input has no more pairs; whether the stream goes on.
    pub(super) fn exhausted(&mut self, input: usize) -> bool {
        self.weights[input] = 0.0;
        self.end == MixEnd::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(weights: &[f64]) -> Mix {
        Mix { weights: weights.to_vec(), ..Mix::default() }
    }

    #[test]
    fn draws_never_change_between_releases() {
        let mut draws = Draws::new(&mix(&[7.0, 2.0, 1.0]));
        let drawn: Vec<usize> = (0..20).filter_map(|_| draws.draw()).collect();
        // From another program: the ChaCha8 block function, written out in Python.
        assert_eq!(drawn, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 1, 0]);
    }

    #[test]
    fn shares_are_those_of_the_weights_and_of_the_rest_where_one_has_ended() {
        let shares = |draws: &mut Draws| {
            let mut n = [0_u32; 3];
            (0..10_000).for_each(|_| n[draws.draw().unwrap()] += 1);
            n
        };
        let near = |n: u32, expected: u32| n.abs_diff(expected) < 200;
        let mut draws = Draws::new(&Mix { end: MixEnd::All, ..mix(&[0.5, 0.3, 0.2]) });
        let [a, b, c] = shares(&mut draws);
        assert!(near(a, 5000) && near(b, 3000) && near(c, 2000), "{a} {b} {c}");
        assert!(draws.exhausted(0));
        let [a, b, c] = shares(&mut draws);
        assert!(a == 0 && near(b, 6000) && near(c, 4000), "{a} {b} {c}");
        assert!(draws.exhausted(2) && draws.exhausted(1));
        assert_eq!(draws.draw(), None);
    }

    #[test]
    fn weights_without_a_meaning_are_refused() {
        for weights in
            [&[1.0][..], &[], &[1.0; 3], &[1.0, 0.0], &[-1.0, 1.0], &[f64::NAN, 1.0], &[f64::MAX; 2]]
        {
            assert!(mix(weights).check(2).is_err(), "{weights:?}");
        }
        assert!(mix(&[1.0]).check(1).is_err());
        assert!(mix(&[1e-300, 1e300]).check(2).is_ok());
    }
}
