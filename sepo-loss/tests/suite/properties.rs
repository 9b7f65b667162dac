//! What holds for every batch.

use proptest::prelude::*;
use sepo_loss::{IpoReduction, LossBatch, Normalizer, Objective, evaluate};

use crate::batches::{Batch, any_batch, any_objective, close, objectives};

proptest! {
    #[test]
    fn sepo_on_every_token_is_simpo(mut batch in any_batch(), gamma in 0.1..5.0, lambda in -1.0..1.0) {
        batch.weights.fill(1.0);
        for pair in &mut batch.pairs {
            pair.chosen_nominal = pair.chosen.len() as f64;
            pair.rejected_nominal = pair.rejected.len() as f64;
        }
        let simpo = batch.evaluate(&Objective::SimPo { beta: gamma, gamma: lambda, label_smoothing: 0.0 }).unwrap();
        for normalizer in [Normalizer::Count, Normalizer::Nominal] {
            prop_assert_eq!(&batch.evaluate(&Objective::SePo { gamma, lambda, normalizer }).unwrap(), &simpo);
        }
    }

    #[test]
    fn scaled_weights_scale_beta_where_a_response_is_summed(batch in any_batch(), beta in 0.01..1.0) {
        let dpo = |beta| Objective::Dpo { beta, label_smoothing: 0.0 };
        let hinge = |beta| Objective::Hinge { beta };
        for (scaled, plain) in [(dpo(beta), dpo(4.0 * beta)), (hinge(beta), hinge(4.0 * beta))] {
            let scaled = batch.weights_times(4.0).evaluate(&scaled).unwrap();
            let plain = batch.evaluate(&plain).unwrap();
            prop_assert_eq!(scaled.loss_sum, plain.loss_sum);
            prop_assert_eq!(scaled.dlogps, plain.dlogps);
        }
    }

    #[test]
    fn scaled_weights_change_nothing_where_a_response_is_averaged(batch in any_batch()) {
        for objective in [
            Objective::Ipo { beta: 0.1, reduction: IpoReduction::Mean },
            Objective::SimPo { beta: 2.0, gamma: 1.0, label_smoothing: 0.1 },
            Objective::SePo { gamma: 2.5, lambda: 0.5, normalizer: Normalizer::Count },
        ] {
            let scaled = batch.weights_times(0.25).evaluate(&objective).unwrap();
            let plain = batch.evaluate(&objective).unwrap();
            prop_assert_eq!(scaled.loss_sum, plain.loss_sum);
            prop_assert_eq!(scaled.dlogps, plain.dlogps);
        }
    }

    #[test]
    fn garbage_at_unselected_rows_changes_nothing(batch in any_batch(), objective in any_objective()) {
        let clean = batch.evaluate(&objective).unwrap();
        for garbage in [f64::NAN, f64::NEG_INFINITY, f64::INFINITY, -1e300] {
            let mut dirty = batch.clone();
            for row in (0..dirty.logps.len()).filter(|&row| batch.weights[row] == 0.0) {
                dirty.logps[row] = garbage;
                dirty.reference[row] = garbage;
            }
            prop_assert_eq!(&dirty.evaluate(&objective).unwrap(), &clean);
        }
    }

    #[test]
    fn unselected_rows_have_a_gradient_of_exactly_zero(batch in any_batch(), objective in any_objective()) {
        let evaluation = batch.evaluate(&objective).unwrap();
        for (row, gradient) in evaluation.dlogps.iter().enumerate() {
            prop_assert!(batch.weights[row] != 0.0 || *gradient == 0.0);
        }
    }

    #[test]
    fn exchanging_the_responses_negates_the_margin(batch in any_batch()) {
        // log σ(z) − log σ(−z) = z, where the target margin is 0.
        for objective in [
            Objective::Dpo { beta: 0.1, label_smoothing: 0.0 },
            Objective::SimPo { beta: 2.0, gamma: 0.0, label_smoothing: 0.0 },
            Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Nominal },
        ] {
            let (ours, theirs) =
                (batch.evaluate(&objective).unwrap(), batch.swapped().evaluate(&objective).unwrap());
            for (a, b) in ours.pairs.iter().zip(&theirs.pairs) {
                prop_assert!(close(a.margin, -b.margin, 1e-12));
                prop_assert!((b.loss - a.loss - a.margin).abs() <= 1e-12 * (1.0 + a.margin.abs()));
            }
        }
    }

    #[test]
    fn a_batch_is_the_sum_of_its_pairs(batch in any_batch(), objective in any_objective()) {
        let whole = batch.evaluate(&objective).unwrap();
        let (mut loss_sum, mut n_units, mut n_empty) = (0.0, 0.0, 0);
        let mut dlogps = vec![0.0; batch.logps.len()];
        for (i, pair) in batch.pairs.iter().enumerate() {
            let single = Batch { pairs: vec![pair.clone()], ..batch.clone() }.evaluate(&objective).unwrap();
            prop_assert_eq!(single.pairs[0], whole.pairs[i]);
            loss_sum += single.loss_sum;
            n_units += single.n_units;
            n_empty += single.n_empty;
            for (sum, gradient) in dlogps.iter_mut().zip(single.dlogps) {
                *sum += gradient;
            }
        }
        prop_assert_eq!(loss_sum, whole.loss_sum);
        prop_assert_eq!(n_units, whole.n_units);
        prop_assert_eq!(n_empty, whole.n_empty);
        prop_assert_eq!(dlogps, whole.dlogps);
    }

    #[test]
    fn empty_responses_count_nowhere(batch in any_batch(), objective in any_objective()) {
        let evaluation = batch.evaluate(&objective).unwrap();
        prop_assert!(evaluation.loss_sum.is_finite() && evaluation.dlogps.iter().all(|g| g.is_finite()));
        let selected = |rows: &std::ops::Range<usize>| batch.weights[rows.clone()].iter().any(|&w| w != 0.0);
        for (pair, metrics) in batch.pairs.iter().zip(&evaluation.pairs) {
            let empty = !selected(&pair.chosen) || (objective.is_pairwise() && !selected(&pair.rejected));
            prop_assert_eq!(metrics.empty, empty);
            if empty {
                prop_assert_eq!((metrics.loss, metrics.margin), (0.0, 0.0));
                let rows = pair.chosen.start..pair.rejected.end;
                prop_assert!(evaluation.dlogps[rows].iter().all(|&gradient| gradient == 0.0));
            }
        }
        let n_empty = evaluation.pairs.iter().filter(|pair| pair.empty).count();
        prop_assert_eq!(evaluation.n_empty, n_empty);
        if objective.is_pairwise() {
            prop_assert_eq!(evaluation.n_units, (batch.pairs.len() - n_empty) as f64);
        }
    }

    #[test]
    fn objectives_without_a_reference_ignore_it(batch in any_batch()) {
        for objective in objectives().into_iter().filter(|objective| !objective.needs_reference()) {
            let without = LossBatch { reference_logps: None, ..batch.view() };
            prop_assert_eq!(batch.evaluate(&objective).unwrap(), evaluate(&objective, &without).unwrap());
        }
    }

    #[test]
    fn at_the_reference_the_margin_is_zero(mut batch in any_batch()) {
        batch.reference.clone_from(&batch.logps);
        let dpo = batch.evaluate(&Objective::Dpo { beta: 0.1, label_smoothing: 0.0 }).unwrap();
        let ipo = batch.evaluate(&Objective::Ipo { beta: 0.1, reduction: IpoReduction::Sum }).unwrap();
        for (dpo, ipo) in dpo.pairs.iter().zip(&ipo.pairs).filter(|(pair, _)| !pair.empty) {
            prop_assert_eq!((dpo.loss, dpo.margin), (2f64.ln(), 0.0));
            prop_assert_eq!(ipo.loss, 25.0);
        }
    }
}
