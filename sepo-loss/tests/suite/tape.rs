//! The generic functions on other dtypes, on other tapes, and above a model that is itself on a tape.

use dfdx::prelude::*;
use sepo_loss::{
    Composition, Link, Margin, Objective, PairLayout, PerRow, Reduction, SequenceRows, Statistic, TokenGrid,
    TokenTerms, log_ratio, negative_log_likelihood, weighted_sums,
};

use crate::batches::{Batch, close, objectives};

fn grids(batch: &Batch) -> (TokenGrid, TokenGrid) {
    let side = |of: &dyn Fn(usize) -> SequenceRows| {
        let sequences: Vec<SequenceRows> = (0..batch.pairs.len()).map(of).collect();
        TokenGrid::new(&sequences, &batch.weights).unwrap()
    };
    let pairs = &batch.pairs;
    (
        side(&|i| SequenceRows { rows: pairs[i].chosen.clone(), nominal: pairs[i].chosen_nominal }),
        side(&|i| SequenceRows { rows: pairs[i].rejected.clone(), nominal: pairs[i].rejected_nominal }),
    )
}

/// Three pairs, one of them empty, with unselected rows of −∞.
fn batch() -> Batch {
    let unselected = (f64::NEG_INFINITY, f64::NEG_INFINITY, 0.0);
    Batch::of(&[
        (
            vec![(-1.25, -1.5, 1.0), unselected, (-2.0, -2.5, 0.5)],
            vec![(-0.75, -0.5, 1.0), (-3.0, -2.0, 1.0)],
        ),
        (vec![unselected], vec![(-1.0, -1.0, 1.0)]),
        (vec![(-0.5, -0.25, 2.0)], vec![unselected, (-4.0, -4.5, 1.0), (-0.125, -0.25, 1.0)]),
    ])
}

/// Losses and gradients of the batch in dtype `E`, through the generic functions.
fn on_tape<E: Dtype>(objective: &Objective, batch: &Batch) -> (Vec<f64>, Vec<f64>)
where
    Cpu: Device<E>,
{
    let device = Cpu::default();
    let tensor = |values: &[f64]| -> PerRow<E, Cpu> {
        device.tensor_from_vec(values.iter().map(|&v| E::from_f64(v).unwrap()).collect(), (values.len(),))
    };
    let policy = tensor(&batch.logps);
    let (chosen, rejected) = grids(batch);
    let losses = match objective.composition() {
        Some(composition) => {
            let reference = Some(tensor(&batch.reference));
            let terms = TokenTerms { reference, ..TokenTerms::of_policy(policy.leaky_trace()) };
            composition.losses(terms, &PairLayout::of_pairs(chosen, rejected)).unwrap()
        }
        None => negative_log_likelihood(policy.leaky_trace(), &chosen).unwrap(),
    };
    let wide = |values: Vec<E>| values.iter().map(|v| v.to_f64().unwrap()).collect();
    let values = wide(losses.as_vec());
    (values, wide(losses.sum::<Rank0, _>().backward().get(&policy).as_vec()))
}

#[test]
fn single_precision_follows_double() {
    let batch = batch();
    for objective in objectives() {
        let evaluation = batch.evaluate(&objective).unwrap();
        let (double, double_gradients) = on_tape::<f64>(&objective, &batch);
        assert_eq!(evaluation.pairs.iter().map(|pair| pair.loss).collect::<Vec<_>>(), double);
        assert_eq!(evaluation.dlogps, double_gradients);

        let (single, single_gradients) = on_tape::<f32>(&objective, &batch);
        for (single, double) in
            single.iter().chain(&single_gradients).zip(double.iter().chain(&double_gradients))
        {
            assert!(close(*single, *double, 5e-6), "{objective:?}: {single} against {double}");
        }
    }
}

#[test]
fn values_need_no_tape() {
    let (chosen, rejected) = grids(&batch());
    let policy = Cpu::default().tensor_from_vec(batch().logps, (batch().logps.len(),));
    let simpo = Objective::SimPo { beta: 2.0, gamma: 1.0, label_smoothing: 0.0 };
    let layout = PairLayout::of_pairs(chosen, rejected);
    let losses: PerRow<f64, Cpu> =
        simpo.composition().unwrap().losses(TokenTerms::of_policy(policy), &layout).unwrap();
    assert_eq!(losses.as_vec(), on_tape::<f64>(&simpo, &batch()).0);
}

#[test]
fn no_rows_sum_to_nothing() {
    let grid = TokenGrid::from_offsets(&[0, 0, 0], &[]).unwrap();
    let nothing = Cpu::default().tensor_from_vec(Vec::<f64>::new(), (0,));
    assert_eq!(weighted_sums(nothing.leaky_trace(), &grid).unwrap().as_vec(), [0.0, 0.0]);
}

#[test]
fn rho_takes_off_a_share_of_the_reference() {
    let device = Cpu::default();
    let tensor = |values: [f64; 2]| device.tensor_from_vec(values.to_vec(), (2,));
    let half = log_ratio(tensor([-1.0, -2.0]), tensor([-0.5, -1.0]), 0.5).unwrap();
    assert_eq!(half.as_vec(), [-0.75, -1.5]);
}

#[test]
fn lengths_divide_by_unselected_rows_too() {
    let loss = Composition {
        statistic: Statistic::LOGP,
        reduction: Reduction::Length,
        beta: 1.0,
        ..Composition::default()
    }
    .comparing(Margin::Constant(0.5), Link::Square { target: 0.0 });
    let weights = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0];
    let side = |rows| TokenGrid::new(&[SequenceRows { rows, nominal: 1.0 }], &weights).unwrap();
    let logps = Cpu::default().tensor_from_vec(vec![-1.0, -9.0, -9.0, -9.0, -2.0, -2.0], (6,));
    let layout = PairLayout::of_pairs(side(0..4), side(4..6));
    let losses = loss.losses(TokenTerms::of_policy(logps), &layout).unwrap();
    assert_eq!(losses.as_vec(), [1.25 * 1.25]); // −0.25 + 2 − 0.5
}
