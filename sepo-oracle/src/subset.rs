//! Which pairs the oracle may see.

use sepo_train::permutation_of_u32;

use crate::OracleError;

/// Pairs that reference and oracle are trained on, and the rest. Both ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    /// Indices of the pairs to train on, for [`Examples::picked`](sepo_train::Examples::picked).
    pub used: Vec<u32>,
    /// Indices of the pairs that neither model sees.
    pub held_out: Vec<u32>,
}

impl Subset {
    /// `max(1, floor(fraction · n))` of `n` pairs, drawn without replacement; the same seed draws the same.
    ///
    /// # Errors
    ///
    /// * [`OracleError::Fraction`] where `fraction` is not in `(0, 1]`.
    /// * [`OracleError::NoPairs`] where `n` is 0.
    /// * [`OracleError::TooManyPairs`] where `n` is more than 32 bits can count.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_oracle::Subset;
    ///
    /// let all = Subset::draw(4, 1.0, 0)?;
    /// assert_eq!(all.used, [0, 1, 2, 3]);
    /// # Ok::<(), sepo_oracle::OracleError>(())
    /// ```
    pub fn draw(n: usize, fraction: f64, seed: u64) -> Result<Self, OracleError> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(OracleError::Fraction { fraction });
        }
        if n == 0 {
            return Err(OracleError::NoPairs);
        }
        let n_pairs = u32::try_from(n).map_err(|_| OracleError::TooManyPairs { n_pairs: n })?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between 0 and n"
        )]
        let n_used = ((n as f64 * fraction).floor() as usize).max(1);
        let mut order = permutation_of_u32(n_pairs, seed, 0);
        let mut held_out = order.split_off(n_used);
        order.sort_unstable();
        held_out.sort_unstable();
        Ok(Self { used: order, held_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_on_one_side_and_the_seed_decides_which() {
        let subset = Subset::draw(101, 0.3, 5).unwrap();
        let mut all = [&subset.used[..], &subset.held_out].concat();
        all.sort_unstable();
        assert_eq!(all, (0..101).collect::<Vec<_>>());
        assert_eq!(subset.used.len(), 30);
        assert_eq!(subset, Subset::draw(101, 0.3, 5).unwrap());
        assert_ne!(subset, Subset::draw(101, 0.3, 6).unwrap());
    }

    #[test]
    fn the_pairs_of_a_seed_never_change_between_releases() {
        // The first three of the order 2 1 3 7 0 4 5 6.
        assert_eq!(Subset::draw(8, 0.4, 0).unwrap().used, [1, 2, 3]);
    }

    #[test]
    fn a_small_fraction_keeps_one_and_bad_ones_are_refused() {
        assert_eq!(Subset::draw(3, 0.01, 0).unwrap().used.len(), 1);
        for fraction in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(matches!(Subset::draw(3, fraction, 0), Err(OracleError::Fraction { .. })));
        }
        assert!(matches!(Subset::draw(0, 0.5, 0), Err(OracleError::NoPairs)));
    }
}
