//! Gradients against finite differences, and everything against the naive twin.

use proptest::prelude::*;
use sepo_loss::Objective;

use crate::batches::{any_batch, any_objective, close};
use crate::naive;

proptest! {
    #[test]
    fn gradients_are_the_slopes_of_the_loss(batch in any_batch(), objective in any_objective()) {
        const STEP: f64 = 1e-5;
        let evaluation = batch.evaluate(&objective).unwrap();
        for row in 0..batch.logps.len() {
            let at = |offset: f64| {
                let mut moved = batch.clone();
                moved.logps[row] += offset;
                moved.evaluate(&objective).unwrap()
            };
            let (above, below) = (at(STEP), at(-STEP));
            let on_the_kink = |side: &sepo_loss::PairMetrics| side.loss == 0.0;
            if matches!(objective, Objective::Hinge { .. })
                && above.pairs.iter().zip(&below.pairs).any(|(a, b)| on_the_kink(a) != on_the_kink(b))
            {
                continue;
            }
            let slope = (above.loss_sum - below.loss_sum) / (2.0 * STEP);
            // Central differences: rounding of sums of order 100 over the step, and step² times a third derivative.
            let tolerance = 1e-8 * (1.0 + evaluation.loss_sum.abs() + evaluation.dlogps[row].abs());
            prop_assert!(
                (slope - evaluation.dlogps[row]).abs() < tolerance,
                "{objective:?} row {row}: {slope} against {}", evaluation.dlogps[row],
            );
        }
    }

    #[test]
    fn agrees_with_the_loops_by_hand(batch in any_batch(), objective in any_objective()) {
        let evaluation = batch.evaluate(&objective).unwrap();
        let (losses, dlogps) = naive::evaluate(&objective, &batch.view());
        for (pair, loss) in evaluation.pairs.iter().zip(&losses) {
            prop_assert!(close(pair.loss, *loss, 1e-12), "{objective:?}: {} against {loss}", pair.loss);
        }
        for (ours, theirs) in evaluation.dlogps.iter().zip(&dlogps) {
            // Absolute too: a smoothed slope ε − σ(−z) may cancel.
            let agree = close(*ours, *theirs, 1e-12) || (ours - theirs).abs() < 1e-15;
            prop_assert!(agree, "{objective:?}: {ours} against {theirs}");
        }
    }
}
