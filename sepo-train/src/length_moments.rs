//! Lengths of responses and margins, summed so that correlations of any steps can be had.

use serde::{Deserialize, Serialize};

/// Sums over pairs; `x` is the length of the chosen minus that of the rejected response, `y` the margin.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct LengthMoments {
    pub(crate) n: f64,
    x: f64,
    y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
    /// Tokens of chosen responses.
    chosen: f64,
}

impl LengthMoments {
    /// Adds a pair; lengths in tokens, chosen first.
    #[expect(clippy::cast_precision_loss, reason = "lengths are far below 2^52")]
    pub(crate) fn push(&mut self, [chosen, rejected]: [u64; 2], margin: f64) {
        let x = chosen as f64 - rejected as f64;
        self.n += 1.0;
        self.x += x;
        self.y += margin;
        self.xx += x * x;
        self.yy += margin * margin;
        self.xy += x * margin;
        self.chosen += chosen as f64;
    }

    /// Itself times `old`, and `other`.
    pub(crate) fn fade_and_add(&mut self, old: f64, other: &Self) {
        let add = |ours: &mut f64, theirs: f64| *ours = *ours * old + theirs;
        add(&mut self.n, other.n);
        add(&mut self.x, other.x);
        add(&mut self.y, other.y);
        add(&mut self.xx, other.xx);
        add(&mut self.yy, other.yy);
        add(&mut self.xy, other.xy);
        add(&mut self.chosen, other.chosen);
    }

    /// Correlation of length difference and margin; `None` where one of them does not vary.
    pub(crate) fn correlation(&self) -> Option<f64> {
        let centred = |product: f64, a: f64, b: f64| product - a * b / self.n;
        let (xx, yy) = (centred(self.xx, self.x, self.x), centred(self.yy, self.y, self.y));
        // What is below the rounding of the sums is no variation.
        let varies = self.n > 2.0 && xx > 1e-9 * self.xx && yy > 1e-9 * self.yy;
        varies.then(|| (centred(self.xy, self.x, self.y) / (xx * yy).sqrt()).clamp(-1.0, 1.0))
    }

    /// Mean length of a chosen response, in tokens.
    pub(crate) fn chosen_length(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.chosen / self.n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pearson's correlation with means taken first.
    fn slow(pairs: &[(u64, u64, f64)]) -> f64 {
        let n = pairs.len() as f64;
        let x: Vec<f64> = pairs.iter().map(|(c, r, _)| *c as f64 - *r as f64).collect();
        let y: Vec<f64> = pairs.iter().map(|(.., margin)| *margin).collect();
        let [mx, my] = [&x, &y].map(|values| values.iter().sum::<f64>() / n);
        let product = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
            a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum::<f64>()
        };
        product(&x, mx, &y, my) / (product(&x, mx, &x, mx) * product(&y, my, &y, my)).sqrt()
    }

    proptest! {
        #[test]
        fn sums_give_the_correlation_of_the_pairs(
            pairs in prop::collection::vec((1..2000_u64, 1..2000_u64, -50.0..50.0_f64), 3..100)
        ) {
            let mut moments = LengthMoments::default();
            for (chosen, rejected, margin) in &pairs {
                let mut one = LengthMoments::default();
                one.push([*chosen, *rejected], *margin);
                moments.fade_and_add(1.0, &one);
            }
            let expected = slow(&pairs);
            prop_assume!(expected.is_finite());
            prop_assert!((moments.correlation().unwrap() - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn what_does_not_vary_correlates_with_nothing() {
        let mut moments = LengthMoments::default();
        assert_eq!((moments.correlation(), moments.chosen_length()), (None, None));
        for i in 0..50 {
            moments.push([70, 70], 0.1 * f64::from(i));
        }
        assert_eq!(moments.correlation(), None);
        assert_eq!(moments.chosen_length(), Some(70.0));
    }
}
