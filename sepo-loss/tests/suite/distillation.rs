//! AlignDistil on whole distributions: the loss against its own formula, gradients against finite differences of logits.

use proptest::prelude::*;
use sepo_loss::{LossBatch, LossError, Objective, PairRows, evaluate};

use crate::batches::close;

const VOCAB: usize = 5;
const BETA: f64 = 0.1;

fn softmax(logits: &[f64]) -> Vec<f64> {
    let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit.exp() / total).collect()
}

/// One token: logits of the policy, of the model aligned by DPO, and of the one aligned the other way round.
type Token = [Vec<f64>; 3];

/// `KL(π ‖ p*)` and `g` of a token.
fn token([policy, toward, away]: &Token, boost: f64) -> (f64, f64) {
    let [p, q] = [toward, away].map(|logits| softmax(logits));
    let g = boost * p.iter().zip(&q).map(|(p, q)| (p - q).abs()).sum::<f64>() + 1e-3;
    let teacher: Vec<f64> = toward.iter().zip(away).map(|(z, other)| z + g * (z - other)).collect();
    let (policy, teacher) = (softmax(policy), softmax(&teacher));
    (policy.iter().zip(&teacher).map(|(p, q)| p * (p / q).ln()).sum(), g)
}

/// The loss of some responses, by its formula.
fn slow(responses: &[Vec<(Token, f64)>], boost: f64) -> f64 {
    let of = |response: &Vec<(Token, f64)>| {
        let total: f64 = response.iter().map(|(_, weight)| weight).sum();
        let terms = response.iter().map(|(logits, weight)| {
            let (kl, g) = token(logits, boost);
            weight * BETA / g * kl
        });
        if total == 0.0 { 0.0 } else { terms.sum::<f64>() / total }
    };
    responses.iter().map(of).sum()
}

fn any_responses() -> impl Strategy<Value = Vec<Vec<(Token, f64)>>> {
    let logits = || prop::collection::vec(-2.0..2.0_f64, VOCAB);
    let token = (logits(), logits(), logits()).prop_map(|(policy, toward, away)| [policy, toward, away]);
    let weight = prop_oneof![Just(0.0), Just(1.0), 0.1..2.0_f64];
    prop::collection::vec(prop::collection::vec((token, weight), 0..4), 1..4)
}

proptest! {
    #[test]
    fn the_loss_and_its_gradient_are_those_of_the_formula(responses in any_responses(), boost in 0.0..12.0_f64) {
        let flat: Vec<&(Token, f64)> = responses.iter().flatten().collect();
        let (kls, extrapolations): (Vec<f64>, Vec<f64>) = flat.iter().map(|(logits, _)| token(logits, boost)).unzip();
        let weights: Vec<f64> = flat.iter().map(|(_, weight)| *weight).collect();
        let mut end = 0;
        let pairs: Vec<PairRows> = responses
            .iter()
            .map(|response| {
                end += response.len();
                PairRows { chosen: end - response.len()..end, rejected: 0..0, chosen_nominal: 1.0, rejected_nominal: 1.0 }
            })
            .collect();
        let batch = LossBatch {
            logps: &vec![-1.0; flat.len()],
            reverse_kls: Some(&kls),
            extrapolations: Some(&extrapolations),
            weights: &weights,
            pairs: &pairs,
            ..LossBatch::default()
        };
        let found = evaluate(&Objective::AlignDistil { beta: BETA, boost }, &batch).unwrap();
        prop_assert!(close(found.loss_sum, slow(&responses, boost), 1e-12));
        let n_full = responses.iter().filter(|response| response.iter().any(|(_, weight)| *weight != 0.0)).count();
        prop_assert_eq!((found.n_units, found.n_empty), (n_full as f64, responses.len() - n_full));
        prop_assert!(found.dlogps.iter().all(|d| *d == 0.0));

        // dK/dlogit_v = p_v (log p_v − log q_v − K), METHODS' closed form, against differences of the whole.
        let mut row = 0;
        for i in 0..responses.len() {
            for j in 0..responses[i].len() {
                let (logits, _) = &responses[i][j];
                let g = extrapolations[row];
                let teacher: Vec<f64> =
                    logits[1].iter().zip(&logits[2]).map(|(z, other)| z + g * (z - other)).collect();
                let (p, q) = (softmax(&logits[0]), softmax(&teacher));
                for v in 0..VOCAB {
                    let at = |offset: f64| {
                        let mut moved = responses.clone();
                        moved[i][j].0[0][v] += offset;
                        slow(&moved, boost)
                    };
                    let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                    let closed = found.dreverse_kls[row] * p[v] * ((p[v] / q[v]).ln() - kls[row]);
                    prop_assert!((slope - closed).abs() < 1e-7 * (1.0 + slope.abs()), "{slope} {closed}");
                }
                row += 1;
            }
        }
    }
}

#[test]
fn a_teacher_that_is_not_moved_on_is_refused() {
    let objective = Objective::AlignDistil { beta: BETA, boost: 10.0 };
    let pair = PairRows { chosen: 0..1, rejected: 0..0, chosen_nominal: 1.0, rejected_nominal: 1.0 };
    let batch = LossBatch {
        logps: &[-1.0],
        reverse_kls: Some(&[0.1]),
        extrapolations: Some(&[0.0]),
        weights: &[1.0],
        pairs: &[pair],
        ..LossBatch::default()
    };
    let error = evaluate(&objective, &batch).unwrap_err();
    assert!(matches!(error, LossError::ExtrapolationNotPositive { row: 0, .. }), "{error}");
    assert!(Objective::AlignDistil { beta: BETA, boost: f64::NAN }.check().is_err());
}
