use super::HeatmapPair;

/// How many shades there are on either side of zero.
pub(crate) const N_LEVELS: u8 = 5;

/// The score at which a colour is full. Both directions share it, so equal shades mean equal distances from zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    limit: f32,
}

/// The shade of one token: 0 is plain, [`N_LEVELS`] is the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shade {
    Plain,
    Negative(u8),
    Positive(u8),
}

impl Scale {
    /// The 98th percentile of |score|: one outlier must not bleach everything else.
    pub(crate) fn fit(pairs: &[HeatmapPair]) -> Self {
        let mut sizes: Vec<f32> = pairs
            .iter()
            .flat_map(|pair| &pair.sides)
            .flat_map(|side| &side.tokens)
            .filter_map(|token| token.score)
            .filter(|score| score.is_finite())
            .map(f32::abs)
            .collect();
        sizes.sort_by(f32::total_cmp);
        let limit = sizes.get(sizes.len().saturating_sub(1) * 98 / 100).copied().unwrap_or(1.0);
        Self { limit: if limit > 0.0 { limit } else { 1.0 } }
    }

    pub(crate) fn limit(self) -> f32 {
        self.limit
    }

    /// The shade of a score; no score and not-a-number are plain, what lies beyond the limit has the last shade.
    pub(crate) fn shade(self, score: Option<f32>) -> Shade {
        let Some(score) = score.filter(|score| !score.is_nan()) else { return Shade::Plain };
        let share = (score.abs() / self.limit).min(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "share is in 0..=1, so the product is in 0..=N_LEVELS"
        )]
        let level = (share * f32::from(N_LEVELS)).round() as u8;
        match level {
            0 => Shade::Plain,
            _ if score < 0.0 => Shade::Negative(level),
            _ => Shade::Positive(level),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heatmap::{HeatmapSide, HeatmapToken};

    fn scale_of(scores: &[f32]) -> Scale {
        let tokens =
            scores.iter().map(|&score| HeatmapToken { score: Some(score), ..Default::default() }).collect();
        Scale::fit(&[HeatmapPair {
            sides: vec![HeatmapSide { name: String::new(), tokens }],
            ..Default::default()
        }])
    }

    #[test]
    fn one_outlier_does_not_set_the_scale() {
        let mut scores = vec![1.0; 99];
        scores.push(-500.0);
        assert_eq!(scale_of(&scores).limit(), 1.0);
    }

    #[test]
    fn shades_are_symmetric_and_saturate() {
        let scale = scale_of(&[2.0]);
        assert_eq!(scale.shade(Some(2.0)), Shade::Positive(5));
        assert_eq!(scale.shade(Some(-2.0)), Shade::Negative(5));
        assert_eq!(scale.shade(Some(f32::NEG_INFINITY)), Shade::Negative(5));
        assert_eq!(scale.shade(Some(0.1)), Shade::Plain);
        assert_eq!(scale.shade(Some(f32::NAN)), Shade::Plain);
        assert_eq!(scale.shade(None), Shade::Plain);
    }

    #[test]
    fn nothing_scored_still_has_a_scale() {
        assert_eq!(scale_of(&[]).limit(), 1.0);
        assert_eq!(scale_of(&[0.0, 0.0]).limit(), 1.0);
        assert_eq!(scale_of(&[f32::INFINITY]).limit(), 1.0);
    }
}
