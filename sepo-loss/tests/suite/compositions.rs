//! All worked cases of the shared material, each as a composition.

use sepo_loss::{
    Baseline, Comparison, Composition, Detach, Divergence, Evaluation, Link, LossBatch, Margin, Nll,
    NllReduction, Objective, PairRows, Pairing, Partition, Reduction, Regularizers, SideLink, Square,
    Statistic, TokenReward, Transform, evaluate,
};
use serde_json::Value;

use crate::batches::close;
use crate::vectors::{numbers, shared};

/// One case: its name, the loss, whether responses have exchanged roles, and weights other than the file's.
struct Case {
    name: &'static str,
    loss: Composition,
    swapped: bool,
    weights: Option<[Vec<f64>; 2]>,
    segments: Option<[Vec<u32>; 2]>,
}

fn case(name: &'static str, loss: Composition) -> Case {
    Case { name, loss, swapped: false, weights: None, segments: None }
}

fn logistic() -> Link {
    Link::Logistic { label_smoothing: 0.0 }
}

fn tdpo(divergence: Divergence) -> Composition {
    Composition { statistic: Statistic { rho: 1.0, divergence }, ..Composition::default() }
}

fn cases() -> Vec<Case> {
    let dpo = Composition::default();
    let linked = |link| dpo.comparing(Margin::Constant(0.0), link);
    let means = |beta, gamma| {
        let simpo = Composition { statistic: Statistic::LOGP, reduction: Reduction::WeightSum, beta, ..dpo };
        simpo.comparing(Margin::Constant(gamma), logistic())
    };
    let ipo = |reduction| {
        let square = Link::Square { target: 5.0 };
        Composition { beta: 1.0, reduction, ..dpo }.comparing(Margin::Constant(0.0), square)
    };
    let forward = |alpha, detach| tdpo(Divergence::Forward { alpha, detach });
    let reverse = tdpo(Divergence::Reverse { alpha: 0.5, detach: Detach::Neither });
    let with = |regularizers| Composition { regularizers, ..dpo };
    let penalty = |lambda| dpo.comparing(Margin::Penalty { lambda }, logistic());
    let kto = SideLink::Kto { desirable: 1.0, undesirable: 1.0, baseline: Baseline::Constant(0.05) };
    let orpo = Composition {
        statistic: Statistic::LOGP,
        reduction: Reduction::WeightSum,
        transform: Transform::LogOdds,
        beta: 1.0,
        scale: 0.1,
        regularizers: Regularizers {
            nll: Some(Nll { coefficient: 1.0, reduction: NllReduction::Mean }),
            ..Regularizers::default()
        },
        ..dpo
    };
    let segments = Some([vec![0, 0, 1, 1, 2, 9], vec![0, 0, 1, 1, 9, 9]]);
    let scores = Some([vec![0.6, 0.6, 0.9, 0.9, 0.2, 0.0], vec![0.5, 0.5, 0.1, 0.1, 0.0, 0.0]]);
    let all = Some([vec![1.0, 1.0, 1.0, 1.0, 1.0, 0.0], vec![1.0, 1.0, 1.0, 1.0, 0.0, 0.0]]);
    let of_all = |name, loss| Case { weights: all.clone(), ..case(name, loss) };
    let hypo = Composition { statistic: Statistic::LOGP, ..dpo };
    let token_reward = Some(TokenReward { alpha: 0.25 });
    vec![
        case("dpo", dpo),
        case("cdpo_eps0.1", linked(Link::Logistic { label_smoothing: 0.1 })),
        case("robust_eps0.1", linked(Link::Robust { label_smoothing: 0.1 })),
        case("hinge", linked(Link::Hinge)),
        case("ipo_sum", ipo(Reduction::Sum)),
        case("ipo_avg", ipo(Reduction::Length)),
        case("simpo", means(2.0, 1.0)),
        case("tdpo1", forward(1.0, Detach::Neither)),
        case("tdpo2", forward(0.5, Detach::Chosen)),
        case("sepo_code", means(1.0, 0.0)),
        case("sepo_paper", Composition { reduction: Reduction::Nominal, ..means(2.0, 0.5) }),
        case("tis_paper", dpo),
        case("tis_paper_kl", reverse),
        case("tis_rank_code", dpo),
        case("confpo", means(1.5, 1.6)),
        case("tgdpo", dpo),
        case("d2po", dpo),
        case("selective_dpo_q0.6", dpo),
        case("rdpo", dpo.comparing(Margin::LengthDifference { alpha: 0.01 }, logistic())),
        of_all("adpo_token", Composition { partition: Partition::Token, ..dpo }),
        of_all("treg", with(Regularizers { token_reward, ..Regularizers::default() })),
        of_all("dpop", penalty(50.0)),
        Case { swapped: true, ..of_all("dpop_active", penalty(5.0)) },
        Case {
            weights: scores,
            segments,
            ..case(
                "2ddpo_group",
                Composition { partition: Partition::Segment, pairing: Pairing::ByWeight, ..dpo },
            )
        },
        of_all("kto_pair_z0.05", Composition { comparison: Comparison::Sides(kto), ..dpo }),
        of_all("orpo", orpo),
        case("bpo_sba", linked(Link::Basu { k: 0.2 })),
        case("hypo", hypo.comparing(Margin::Reference { floor: 0.0 }, logistic())),
        case("mix_sepo_x_dpo", dpo),
        case("mix_tis_x_simpo", means(2.0, 1.0)),
        case("mix_d2po_x_ipo", ipo(Reduction::WeightSum)),
        case("mix_sepo_x_tdpo2", forward(0.5, Detach::Chosen)),
    ]
}

/// The file's pair, in which responses have five and four tokens; what lies behind them is garbage.
fn evaluated(case: &Case, inputs: &Value, expected: &Value) -> Evaluation {
    let both = |chosen: &str, rejected: &str| [numbers(&inputs[chosen]), numbers(&inputs[rejected])].concat();
    let weights = match &case.weights {
        Some(weights) => weights.concat(),
        None => [numbers(&expected["w_chosen"]), numbers(&expected["w_rejected"])].concat(),
    };
    let segments = case.segments.clone().map(|segments| segments.concat());
    let (mut chosen, mut rejected) = (0..5, 6..10);
    if case.swapped {
        std::mem::swap(&mut chosen, &mut rejected);
    }
    let batch = LossBatch {
        logps: &both("pc", "pr"),
        reference_logps: Some(&both("rc", "rr")),
        forward_kls: Some(&both("fkl_c", "fkl_r")),
        reverse_kls: Some(&both("rkl_c", "rkl_r")),
        token_rewards: Some(&both("t_c", "t_r")),
        log_collisions: None,
        extrapolations: None,
        segments: segments.as_deref(),
        weights: &weights,
        pairs: &[PairRows { chosen, rejected, chosen_nominal: 2.0, rejected_nominal: 1.6 }],
    };
    evaluate(&Objective::composed(case.name, case.loss), &batch).unwrap()
}

#[test]
fn every_shared_case_is_a_composition() {
    let Some(shared) = shared() else { return };
    let cases = cases();
    let known = shared["cases"].as_object().unwrap();
    assert_eq!(cases.len(), known.len());
    for case in &cases {
        let (name, expected) = (case.name, &known[case.name]);
        let evaluation = evaluated(case, &shared["inputs"], expected);
        let loss = expected["loss"].as_f64().unwrap();
        assert!(close(evaluation.loss_sum, loss, 1e-12), "{name}: {} against {loss}", evaluation.loss_sum);
        let analytic = expected["grad_kind"] == "analytic";
        let compare = |ours: &[f64], side: &str, other: &str, tolerance: f64| {
            let theirs = [numbers(&expected[side]), numbers(&expected[other])].concat();
            for (row, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
                let agree = close(*ours, *theirs, tolerance) || (ours - theirs).abs() < tolerance;
                assert!(agree, "{name} row {row}: {ours} against {theirs}");
            }
        };
        let tolerance = if analytic { 1e-12 } else { 1e-10 };
        compare(&evaluation.dlogps, "grad_chosen", "grad_rejected", tolerance);
        if expected.get("grad_fkl_chosen").is_some() {
            compare(&evaluation.dforward_kls, "grad_fkl_chosen", "grad_fkl_rejected", 1e-10);
        }
        if expected.get("grad_rkl_chosen").is_some() {
            compare(&evaluation.dreverse_kls, "grad_rkl_chosen", "grad_rkl_rejected", 1e-10);
        }
    }
}

/// Log-probabilities of one position.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - top).exp()).sum();
    logits.iter().map(|logit| logit - top - sum.ln()).collect()
}

/// METHODS 14.4: the gradient of a loss over one position's logits, from those over its three numbers.
fn to_logits(policy: &[f64], reference: &[f64], target: usize, [dl, df, dk]: [f64; 3]) -> Vec<f64> {
    let reverse: f64 = policy.iter().zip(reference).map(|(p, q)| p.exp() * (p - q)).sum();
    let one = |v: usize| {
        let (p, q) = (policy[v].exp(), reference[v].exp());
        let hit = if v == target { 1.0 } else { 0.0 };
        dl * (hit - p) + df * (p - q) + dk * p * (policy[v] - reference[v] - reverse)
    };
    (0..policy.len()).map(one).collect()
}

#[test]
fn every_full_vocabulary_case_reaches_the_logits() {
    let Some(shared) = shared() else { return };
    let full = &shared["full_vocab"];
    let inputs = &full["inputs"];
    let rows = |chosen: &str, rejected: &str| -> Vec<Vec<f64>> {
        let sides = [&inputs[chosen], &inputs[rejected]];
        sides.iter().flat_map(|side| side.as_array().unwrap()).map(|row| log_softmax(&numbers(row))).collect()
    };
    let (policy, reference) = (rows("pol_c", "pol_r"), rows("ref_c", "ref_r"));
    let targets: Vec<usize> = [&inputs["y_c"], &inputs["y_r"]]
        .iter()
        .flat_map(|side| side.as_array().unwrap())
        .map(|id| usize::try_from(id.as_u64().unwrap()).unwrap())
        .collect();
    let picked =
        |rows: &[Vec<f64>]| -> Vec<f64> { rows.iter().zip(&targets).map(|(row, &y)| row[y]).collect() };
    let divergence = |from: &[Vec<f64>], to: &[Vec<f64>]| -> Vec<f64> {
        let of = |(p, q): (&Vec<f64>, &Vec<f64>)| p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum();
        from.iter().zip(to).map(of).collect()
    };
    let tis: Vec<f64> = full["tis_weights"].as_array().unwrap().iter().flat_map(numbers).collect();
    let forward = |alpha, detach| tdpo(Divergence::Forward { alpha, detach });
    let reverse = tdpo(Divergence::Reverse { alpha: 0.5, detach: Detach::Neither });
    let ones = vec![1.0; 5];
    for (name, loss, weights) in [
        ("dpo", Composition::default(), &ones),
        ("tdpo1", forward(1.0, Detach::Neither), &ones),
        ("tdpo2", forward(0.5, Detach::Chosen), &ones),
        ("tis_kl", reverse, &tis),
    ] {
        let batch = LossBatch {
            logps: &picked(&policy),
            reference_logps: Some(&picked(&reference)),
            forward_kls: Some(&divergence(&reference, &policy)),
            reverse_kls: Some(&divergence(&policy, &reference)),
            weights,
            pairs: &[PairRows { chosen: 0..3, rejected: 3..5, chosen_nominal: 3.0, rejected_nominal: 2.0 }],
            ..LossBatch::default()
        };
        let evaluation = evaluate(&Objective::composed(name, loss), &batch).unwrap();
        let case = &full["cases"][name];
        assert!(close(evaluation.loss_sum, case["loss"].as_f64().unwrap(), 1e-12), "{name}");
        let sides = [&case["grad_logits_chosen"], &case["grad_logits_rejected"]];
        let expected: Vec<Vec<f64>> =
            sides.iter().flat_map(|side| side.as_array().unwrap()).map(numbers).collect();
        for (row, expected) in expected.iter().enumerate() {
            let at = |gradient: &[f64]| gradient.get(row).copied().unwrap_or(0.0);
            let slopes = [at(&evaluation.dlogps), at(&evaluation.dforward_kls), at(&evaluation.dreverse_kls)];
            let ours = to_logits(&policy[row], &reference[row], targets[row], slopes);
            for (ours, theirs) in ours.iter().zip(expected) {
                assert!((ours - theirs).abs() < 1e-12, "{name} row {row}: {ours} against {theirs}");
            }
        }
    }
}

#[test]
fn calibrated_dpo_is_a_square_beside_the_logistic_loss() {
    // Cal-DPO by hand: R_w = 0.4, R_l = -0.3, t = 1 / (2 · 0.5).
    let square = Some(Square { coefficient: 0.5, target: 1.0 });
    let regularizers = Regularizers { square, ..Regularizers::default() };
    let loss = Composition { beta: 1.0, regularizers, ..Composition::default() };
    let batch = LossBatch {
        logps: &[-1.0, -1.5],
        reference_logps: Some(&[-1.4, -1.2]),
        weights: &[1.0, 1.0],
        pairs: &[PairRows { chosen: 0..1, rejected: 1..2, chosen_nominal: 1.0, rejected_nominal: 1.0 }],
        ..LossBatch::default()
    };
    let evaluation = evaluate(&Objective::composed("cal-dpo", loss), &batch).unwrap();
    let expected = (1.0 + (-0.7_f64).exp()).ln() + 0.5 * (0.36 + 0.49);
    assert!(close(evaluation.loss_sum, expected, 1e-14));
}
