//! Binary cross-entropy of labels against its formula and finite differences.

use proptest::prelude::*;
use sepo_loss::label_loss;

use crate::batches::close;

fn slow(logits: &[f64], labels: &[f64]) -> f64 {
    let of = |(z, y): (&f64, &f64)| {
        // −log σ(z) and −log σ(−z), neither of which cancels in this range.
        y * (-z).exp().ln_1p() + (1.0 - y) * z.exp().ln_1p()
    };
    logits.iter().zip(labels).map(of).sum()
}

proptest! {
    #[test]
    fn loss_and_slopes_are_those_of_the_formula(
        tokens in prop::collection::vec((-8.0..8.0_f64, prop_oneof![Just(0.0), Just(1.0), 0.0..1.0_f64]), 1..9),
    ) {
        let (logits, labels): (Vec<f64>, Vec<f64>) = tokens.into_iter().unzip();
        let (loss, slopes) = label_loss(&logits, &labels).unwrap();
        prop_assert!(close(loss, slow(&logits, &labels), 1e-11));
        for token in 0..logits.len() {
            let at = |offset: f64| {
                let mut moved = logits.clone();
                moved[token] += offset;
                slow(&moved, &labels)
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            prop_assert!((slopes[token] - difference).abs() < 1e-7, "{} {difference}", slopes[token]);
        }
    }
}

#[test]
fn logits_far_from_0_lose_nothing() {
    let (loss, slopes) = label_loss(&[800.0, -800.0, -800.0], &[1.0, 0.0, 1.0]).unwrap();
    assert_eq!((loss, slopes), (800.0, vec![0.0, 0.0, -1.0]));
    assert_eq!(label_loss(&[], &[]).unwrap(), (0.0, vec![]));
}
