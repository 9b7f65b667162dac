//! Random compositions: gradients against finite differences, and identities between methods.

use proptest::prelude::*;
use sepo_loss::{
    Barrier, Baseline, Comparison, Composition, CustomLink, Detach, Divergence, Evaluation, L1, Link,
    LossBatch, LossError, Margin, Nll, NllReduction, Objective, PairRows, PairWeight, Pairing, Partition,
    Reduction, Regularizers, SideLink, Square, Statistic, TokenReward, Transform, UnitSum, Weighting,
    evaluate,
};

use crate::batches::close;

/// A batch with every array.
#[derive(Debug, Clone)]
struct Full {
    logps: Vec<f64>,
    reference: Vec<f64>,
    forward: Vec<f64>,
    reverse: Vec<f64>,
    rewards: Vec<f64>,
    collisions: Vec<f64>,
    segments: Vec<u32>,
    weights: Vec<f64>,
    pairs: Vec<PairRows>,
}

impl Full {
    fn evaluate(&self, loss: &Composition) -> Result<Evaluation, LossError> {
        let batch = LossBatch {
            logps: &self.logps,
            reference_logps: Some(&self.reference),
            forward_kls: Some(&self.forward),
            reverse_kls: Some(&self.reverse),
            token_rewards: Some(&self.rewards),
            log_collisions: Some(&self.collisions),
            extrapolations: None,
            segments: Some(&self.segments),
            weights: &self.weights,
            pairs: &self.pairs,
        };
        evaluate(&Objective::composed("any", *loss), &batch)
    }

    fn swapped(&self) -> Self {
        let swap = |pair: &PairRows| PairRows {
            chosen: pair.rejected.clone(),
            rejected: pair.chosen.clone(),
            chosen_nominal: pair.rejected_nominal,
            rejected_nominal: pair.chosen_nominal,
        };
        Self { pairs: self.pairs.iter().map(swap).collect(), ..self.clone() }
    }
}

fn any_full() -> impl Strategy<Value = Full> {
    let weight = prop_oneof![Just(0.0), Just(1.0), 0.1..2.0_f64];
    let row = (-4.0..-0.05, -4.0..-0.05, 0.0..0.5, 0.0..0.5, -0.5..0.5, (-3.0..0.0, 0_u32..3, weight));
    let response = || prop::collection::vec(row.clone(), 0..6);
    prop::collection::vec((response(), response()), 1..4).prop_map(|pairs| {
        let mut full = Full {
            logps: vec![],
            reference: vec![],
            forward: vec![],
            reverse: vec![],
            rewards: vec![],
            collisions: vec![],
            segments: vec![],
            weights: vec![],
            pairs: vec![],
        };
        for (chosen, rejected) in pairs {
            let start = full.logps.len();
            let (middle, end) = (start + chosen.len(), start + chosen.len() + rejected.len());
            for (logp, reference, forward, reverse, reward, (collision, segment, weight)) in
                chosen.into_iter().chain(rejected)
            {
                full.logps.push(logp);
                full.reference.push(reference);
                full.forward.push(forward);
                full.reverse.push(reverse);
                full.rewards.push(reward);
                full.collisions.push(collision);
                full.segments.push(segment);
                full.weights.push(weight);
            }
            full.pairs.push(PairRows {
                chosen: start..middle,
                rejected: middle..end,
                chosen_nominal: 1.5,
                rejected_nominal: 2.5,
            });
        }
        full
    })
}

/// Every variant whose gradient is the slope of its value, given how the constants in it were made.
pub(crate) fn any_composition() -> impl Strategy<Value = Composition> {
    let divergence = prop::sample::select(vec![
        Divergence::None,
        Divergence::Forward { alpha: 0.7, detach: Detach::Neither },
        Divergence::Reverse { alpha: 0.7, detach: Detach::Neither },
    ]);
    let statistic = (prop::sample::select(vec![0.0, 0.5, 1.0]), divergence)
        .prop_map(|(rho, divergence)| Statistic { rho, divergence });
    let shape = prop::sample::select(vec![
        (Partition::Whole, Pairing::ByIndex),
        (Partition::Token, Pairing::ByIndex),
        (Partition::Window(2), Pairing::ByIndex),
        (Partition::Segment, Pairing::ByIndex),
        (Partition::Segment, Pairing::ByWeight),
    ]);
    let reduction = prop::sample::select(vec![
        Reduction::Sum,
        Reduction::WeightSum,
        Reduction::Length,
        Reduction::MinLength,
    ]);
    let transform = prop::sample::select(vec![
        Transform::Identity,
        Transform::AlphaPo { alpha: 0.3 },
        Transform::ForwardKl,
        Transform::JensenShannon,
        Transform::AlphaDivergence { alpha: 0.6 },
    ]);
    let margin = prop::sample::select(vec![
        Margin::Constant(0.3),
        Margin::LengthDifference { alpha: 0.2 },
        Margin::Reference { floor: 0.1 },
        Margin::Penalty { lambda: 0.5 },
    ]);
    let link = prop::sample::select(vec![
        Link::Logistic { label_smoothing: 0.1 },
        Link::Robust { label_smoothing: 0.1 },
        Link::Exo { label_smoothing: 0.1 },
        Link::DiscoPop { temperature: 0.5 },
        Link::Basu { k: 0.2 },
        Link::Hinge,
        Link::Square { target: 0.7 },
        Link::Custom(CustomLink { name: "cubic", loss: |z| (z.powi(3), 3.0 * z.powi(2)) }),
    ]);
    let side = prop::sample::select(vec![
        SideLink::Kto { desirable: 1.3, undesirable: 0.7, baseline: Baseline::Constant(0.1) },
        SideLink::Bco { shift: 0.2 },
        SideLink::Nca,
        SideLink::ApoZero,
        SideLink::ApoDown,
        SideLink::Sppo { target: 0.5 },
    ]);
    let comparison = prop_oneof![
        3 => (margin, link).prop_map(|(margin, link)| Comparison::Pairs { margin, link }),
        1 => side.prop_map(Comparison::Sides),
    ];
    let regularizers = prop::sample::select(vec![
        Regularizers::default(),
        Regularizers {
            nll: Some(Nll { coefficient: 0.5, reduction: NllReduction::Mean }),
            square: Some(Square { coefficient: 0.5, target: 0.4 }),
            ..Regularizers::default()
        },
        Regularizers {
            nll: Some(Nll { coefficient: 0.5, reduction: NllReduction::Sum }),
            l1: Some(L1 { coefficient: 0.3 }),
            barrier: Some(Barrier { coefficient: 0.2, probability: 0.3 }),
            ..Regularizers::default()
        },
    ]);
    let how = (
        prop::sample::select(vec![UnitSum::Sum, UnitSum::Mean]),
        prop::sample::select(vec![Weighting::Detached, Weighting::Learned]),
    );
    (statistic, shape, reduction, transform, comparison, regularizers, how).prop_map(
        |(statistic, (partition, pairing), reduction, transform, comparison, regularizers, how)| {
            Composition {
                statistic,
                weighting: how.1,
                reduction,
                partition,
                pairing,
                unit_sum: how.0,
                transform,
                beta: 0.4,
                comparison,
                pair_weight: PairWeight::One,
                scale: 0.8,
                regularizers,
            }
        },
    )
}

/// The slopes on both sides of 0. They are nearly one, but for a kink, where a gradient may be either or between.
fn slopes(at: impl Fn(f64) -> Option<f64>) -> Option<[f64; 2]> {
    const STEP: f64 = 1e-5;
    let (before, here, after) = (at(-STEP)?, at(0.0)?, at(STEP)?);
    Some([(here - before) / STEP, (after - here) / STEP])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn gradients_are_the_slopes_of_the_loss(full in any_full(), loss in any_composition()) {
        let Ok(evaluation) = full.evaluate(&loss) else { return Ok(()) };
        let scale = 1.0 + evaluation.loss_sum.abs();
        type Array = fn(&mut Full) -> &mut Vec<f64>;
        let arrays: [(Array, &[f64]); 4] = [
            (|full| &mut full.logps, &evaluation.dlogps),
            (|full| &mut full.forward, &evaluation.dforward_kls),
            (|full| &mut full.reverse, &evaluation.dreverse_kls),
            (|full| &mut full.weights, &evaluation.dweights),
        ];
        for (array, gradient) in arrays {
            for (row, &gradient) in gradient.iter().enumerate() {
                // The order of segments by weight is a constant of the loss, and so is |w| at 0.
                let kink = full.weights[row].abs() < 1e-3 && loss.regularizers.l1.is_some();
                if loss.weighting == Weighting::Learned && (kink || loss.pairing == Pairing::ByWeight) {
                    continue;
                }
                let at = |offset: f64| {
                    let mut moved = full.clone();
                    array(&mut moved)[row] += offset;
                    moved.evaluate(&loss).ok().map(|evaluation| evaluation.loss_sum)
                };
                let Some([left, right]) = slopes(at) else { continue };
                let tolerance = 2e-7 * (scale + gradient.abs());
                let smooth = (0.5 * (left + right) - gradient).abs() < tolerance;
                let slack = tolerance + 0.1 * (left - right).abs();
                let kink = (left.min(right) - slack..left.max(right) + slack).contains(&gradient);
                prop_assert!(smooth || kink, "{loss:?} row {row}: {gradient}, not within {left} and {right}");
            }
        }
    }

    #[test]
    fn what_is_not_selected_has_no_gradient_and_may_be_anything(full in any_full(), loss in any_composition()) {
        let loss = Composition { weighting: Weighting::Detached, ..loss };
        let Ok(evaluation) = full.evaluate(&loss) else { return Ok(()) };
        let mut garbage = full.clone();
        for row in (0..full.weights.len()).filter(|&row| full.weights[row] == 0.0) {
            prop_assert_eq!(evaluation.dlogps[row], 0.0);
            for array in [&mut garbage.logps, &mut garbage.reference, &mut garbage.forward, &mut garbage.reverse] {
                array[row] = [f64::NAN, f64::NEG_INFINITY, 1e300][row % 3];
            }
        }
        prop_assert_eq!(garbage.evaluate(&loss).unwrap(), evaluation);
    }

    #[test]
    fn a_batch_is_the_sum_of_its_pairs(full in any_full(), loss in any_composition()) {
        let Ok(whole) = full.evaluate(&loss) else { return Ok(()) };
        prop_assert!(!loss.is_batch_coupled());
        let mut sum = 0.0;
        for (i, pair) in full.pairs.iter().enumerate() {
            let single = Full { pairs: vec![pair.clone()], ..full.clone() }.evaluate(&loss).unwrap();
            prop_assert_eq!(single.pairs[0].loss, whole.pairs[i].loss);
            sum += single.loss_sum;
        }
        prop_assert!(close(sum, whole.loss_sum, 1e-12) || (sum - whole.loss_sum).abs() < 1e-12);
    }

    #[test]
    fn methods_that_are_equal_on_paper_are_equal(mut full in any_full()) {
        let dpo = Composition::default();
        let equal = |full: &Full, a: Composition, b: Composition| {
            let (a, b) = (full.evaluate(&a).unwrap(), full.evaluate(&b).unwrap());
            close(a.loss_sum, b.loss_sum, 1e-12)
                && a.dlogps.iter().zip(&b.dlogps).all(|(a, b)| (a - b).abs() < 1e-13)
        };
        let linked = |link| dpo.comparing(Margin::Constant(0.0), link);
        let forward = |alpha| Composition {
            statistic: Statistic { rho: 1.0, divergence: Divergence::Forward { alpha, detach: Detach::Chosen } },
            ..dpo
        };
        // TDPO2 without its divergence, smoothing without noise, one segment, T-REG without its share.
        prop_assert!(equal(&full, forward(0.0), dpo));
        prop_assert!(equal(&full, linked(Link::Robust { label_smoothing: 0.0 }), dpo), "an identity");
        prop_assert!(equal(&full, linked(Link::Logistic { label_smoothing: 0.0 }), dpo), "an identity");
        let reward = Some(TokenReward { alpha: 0.0 });
        prop_assert!(equal(&full, Composition { regularizers: Regularizers { token_reward: reward, ..Regularizers::default() }, ..dpo }, dpo), "an identity");
        let mut one = full.clone();
        one.segments.fill(0);
        prop_assert!(equal(&one, Composition { partition: Partition::Segment, ..dpo }, dpo), "an identity");
        prop_assert!(equal(&one, Composition { partition: Partition::Window(1000), ..dpo }, dpo), "an identity");
        // An α-divergence with α = 1 is the reverse KL divergence; near it, nearly.
        prop_assert!(equal(&full, Composition { transform: Transform::AlphaDivergence { alpha: 1.0 }, ..dpo }, dpo), "an identity");
        // c·w at N = 1 is c·β; at N = Σ w it is nothing.
        let mut doubled = full.clone();
        doubled.weights.iter_mut().for_each(|weight| *weight *= 2.0);
        let at = |full: &Full, loss: Composition| full.evaluate(&loss).unwrap().loss_sum;
        prop_assert!(close(at(&doubled, dpo), at(&full, Composition { beta: 0.2, ..dpo }), 1e-12), "an identity");
        let mean = Composition { reduction: Reduction::WeightSum, ..dpo };
        prop_assert!(close(at(&doubled, mean), at(&full, mean), 1e-12));
        // Exchanged responses negate the margin.
        let square = linked(Link::Square { target: 0.0 });
        prop_assert!(close(at(&full.swapped(), square), at(&full, square), 1e-12));
        // HyPO with a floor above every margin is SimPO-like: a constant margin.
        let logps = Composition { statistic: Statistic::LOGP, ..dpo };
        let link = Link::Logistic { label_smoothing: 0.0 };
        prop_assert!(equal(
            &full,
            logps.comparing(Margin::Reference { floor: 1e3 }, link),
            logps.comparing(Margin::Constant(100.0), link),
        ), "an identity");
        // Policy = reference: every margin is 0.
        full.reference.clone_from(&full.logps);
        let start = full.evaluate(&dpo).unwrap();
        prop_assert!(start.pairs.iter().filter(|pair| !pair.empty).all(|pair| pair.loss == 2f64.ln()));
        // BPO's slope there is DPO's.
        let basu = full.evaluate(&linked(Link::Basu { k: 0.2 })).unwrap();
        prop_assert!(basu.dlogps.iter().zip(&start.dlogps).all(|(a, b)| (a - b).abs() < 1e-14));
    }

    #[test]
    fn the_order_over_a_batch_compares_sorted_rewards(full in any_full()) {
        let dpo = Composition::default();
        let sorted = full.evaluate(&Composition { pairing: Pairing::BatchOrder, ..dpo }).unwrap();
        let whole = full.evaluate(&dpo).unwrap();
        let live: Vec<_> = whole.pairs.iter().filter(|pair| !pair.empty).collect();
        let mut sides = [0, 1].map(|side| {
            live.iter().map(|pair| [pair.chosen_reward, pair.rejected_reward][side]).collect::<Vec<_>>()
        });
        sides.iter_mut().for_each(|side| side.sort_by(f64::total_cmp));
        let expected: f64 =
            sides[0].iter().zip(&sides[1]).map(|(chosen, rejected)| (-(chosen - rejected)).exp().ln_1p()).sum();
        prop_assert!(close(sorted.loss_sum, expected, 1e-10) || live.is_empty());
    }
}

#[test]
fn parts_that_exclude_each_other_are_refused() {
    let dpo = Composition::default();
    let nominal = Composition { reduction: Reduction::Nominal, partition: Partition::Token, ..dpo };
    let sorted = Composition { pairing: Pairing::ByWeight, ..dpo };
    let window = Composition { partition: Partition::Window(0), ..dpo };
    for loss in [nominal, sorted, window] {
        assert!(matches!(loss.check("any"), Err(LossError::Composition { .. })), "{loss:?}");
    }
    let exo = dpo.comparing(Margin::Constant(0.0), Link::Exo { label_smoothing: 0.0 });
    let error = exo.check("exo").unwrap_err().to_string();
    assert_eq!(error, "set `label_smoothing` of `exo` to 0: not in 0 < value < 0.5");
}

#[test]
fn the_weight_of_a_pair_is_what_the_policy_would_say() {
    let loss = Composition { pair_weight: PairWeight::Likelihood, ..Composition::default() };
    let batch = LossBatch {
        logps: &[-1.0, -2.0, -0.5],
        reference_logps: Some(&[-1.0, -2.0, -0.5]),
        log_collisions: Some(&[-0.5, -0.5, -0.25]),
        weights: &[1.0; 3],
        pairs: &[PairRows { chosen: 0..2, rejected: 2..3, chosen_nominal: 1.0, rejected_nominal: 1.0 }],
        ..LossBatch::default()
    };
    let evaluation = evaluate(&Objective::composed("wpo", loss), &batch).unwrap();
    let omega = (-1.0_f64 - 0.25).exp();
    assert!(close(evaluation.loss_sum, omega * 2f64.ln(), 1e-14));
    assert!(close(evaluation.dlogps[0], -0.05 * omega, 1e-14));
}

#[test]
fn a_margin_that_adapts_is_larger_for_pairs_behind() {
    let adaptive = Composition { beta: 1.0, ..Composition::default() }
        .comparing(Margin::Adaptive, Link::Logistic { label_smoothing: 0.0 });
    let pair = |at: usize| PairRows {
        chosen: at..at + 1,
        rejected: at + 1..at + 2,
        chosen_nominal: 1.0,
        rejected_nominal: 1.0,
    };
    let batch = LossBatch {
        logps: &[-1.0, -4.0, -1.0, -2.0],
        reference_logps: Some(&[0.0; 4]),
        weights: &[1.0; 4],
        pairs: &[pair(0), pair(2)],
        ..LossBatch::default()
    };
    assert!(adaptive.is_batch_coupled());
    let pairs = evaluate(&Objective::composed("amapo", adaptive), &batch).unwrap().pairs;
    // Margins 3 and 1: mean 2, deviation 1, so that the second has exp((2 − 1) / 1 · 2) taken off.
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    assert!(close(pairs[0].loss, softplus(-3.0), 1e-14));
    assert!(close(pairs[1].loss, softplus(2f64.exp() - 1.0), 1e-14));
}
