//! Scores as numbers in whose order tokens are selected: the highest key first.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sepo_data::Side;

use crate::{Rule, SelectConfig};

/// What one side is ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ranking {
    Highest,
    Lowest,
    Magnitude,
    Random { seed: u64 },
}

impl Ranking {
    /// The ranking of a side; `None` for rules that keep no share.
    pub(super) fn of(config: &SelectConfig, side: Side) -> Option<Self> {
        match config.rule {
            Rule::Sepo if config.side_rule_on(side).is_turned() => Some(Self::Lowest),
            Rule::Sepo => Some(Self::Highest),
            Rule::Salience => Some(Self::Magnitude),
            Rule::Random { seed } => Some(Self::Random { seed }),
            _ => None,
        }
    }

    /// One key a candidate.
    pub(super) fn keys<'s>(
        self,
        (row, side): (u64, Side),
        scores: &'s [f32],
    ) -> impl Iterator<Item = u32> + use<'s> {
        let mut rng = match self {
            Self::Random { seed } => Some(stream(seed, row, side)),
            _ => None,
        };
        scores.iter().map(move |&score| match (self, &mut rng) {
            (_, Some(rng)) => rng.next_u32(),
            (Self::Lowest, _) => !image(score),
            (Self::Magnitude, _) => image(score.abs()),
            _ => image(score),
        })
    }

    /// The score, or for magnitudes its absolute value, that has this key; `None` where keys are drawn.
    pub(super) fn score(self, key: u32) -> Option<f64> {
        match self {
            Self::Highest | Self::Magnitude => Some(score_of(key).into()),
            Self::Lowest => Some(score_of(!key).into()),
            Self::Random { .. } => None,
        }
    }
}

const SIGN: u32 = 1 << 31;

/// A number that rises with the score; -0 and 0 have the same. Not for numbers that are none.
fn image(score: f32) -> u32 {
    // -0 + 0 is 0.
    let bits = (score + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn score_of(image: u32) -> f32 {
    f32::from_bits(if image & SIGN == 0 { !image } else { image ^ SIGN })
}

/// Random numbers that belong to seed, row and side alone, and are not those of a draw from a single response.
fn stream(seed: u64, row: u64, side: Side) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&row.to_le_bytes());
    key[16] = match side {
        Side::Chosen => 2,
        Side::Rejected => 3,
    };
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_rise_as_scores_do_and_give_them_back() {
        let rising = [
            f32::MIN,
            -2.0,
            -1.0,
            -f32::MIN_POSITIVE,
            -f32::from_bits(1),
            0.0,
            f32::from_bits(1),
            f32::MIN_POSITIVE,
            0.5,
            1.0,
            f32::MAX,
        ];
        for pair in rising.windows(2) {
            assert!(image(pair[0]) < image(pair[1]), "{pair:?}");
        }
        for score in rising {
            assert_eq!(score_of(image(score)).to_bits(), score.to_bits());
        }
        assert_eq!(image(-0.0), image(0.0));
    }
}
