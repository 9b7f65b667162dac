//! Objectives that read a frozen model's distributions, rewards of tokens, or weights that the policy makes itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::AtomicBool;

use sepo_data::Side;
use sepo_loss::{LossBatch, Objective, PairRows, Preset, evaluate};
use sepo_model::{Activations, Cpu, Model, ModelConfig, Network, SequenceBatch};
use sepo_train::{
    Beside, RunOptions, Silent, StepWeights, Teacher, TrainConfig, TrainData, TrainError, TrainExample,
    TrainOutcome, evaluate_pairs_on, reference_logps, train,
};

fn model(seed: u64, vocab: usize) -> Model {
    let config = format!(
        r#"{{"model_type": "llama", "vocab_size": {vocab}, "hidden_size": 16, "intermediate_size": 24,
            "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3}}"#
    );
    Model::random(ModelConfig::from_json(&config).unwrap(), seed).unwrap()
}

fn pairs(reference: &Model) -> Vec<TrainExample> {
    let mut pairs = vec![
        TrainExample::pair(0, vec![1, 2], vec![3, 4, 5], vec![6, 3]),
        TrainExample::pair(1, vec![7], vec![2, 8, 1, 1], vec![9, 9, 4]),
        TrainExample::pair(2, vec![5, 5, 1], vec![2], vec![3, 8, 6, 4]),
    ];
    reference_logps(reference, &mut pairs, 4096).unwrap();
    pairs
}

fn preset(name: &str, settings: &[(&str, f64)]) -> Objective {
    Preset::find(name).unwrap().objective(settings).unwrap()
}

fn config(steps: u64) -> TrainConfig {
    TrainConfig { learning_rate: 3e-3, batch_size: 3, max_steps: Some(steps), ..TrainConfig::default() }
}

fn run(
    model: &mut Model,
    data: TrainData<'_>,
    objective: &Objective,
    config: &TrainConfig,
) -> Result<TrainOutcome, TrainError> {
    let options =
        RunOptions { on: &Cpu, dir: None, observer: &mut Silent, interrupt: &AtomicBool::new(false) };
    train(model, data, objective, config, options)
}

fn loss_of_first_step(data: TrainData<'_>, objective: &Objective) -> f64 {
    let mut policy = model(1, 11);
    run(&mut policy, data, objective, &config(1)).unwrap().last_step.unwrap().loss.unwrap()
}

/// Log-probabilities of every token of the vocabulary behind `context`.
fn distribution(model: &Model, context: &[u32]) -> Vec<f64> {
    let segments = sepo_kernels::Segments::new(vec![0, context.len()], vec![None]).unwrap();
    let targets: Vec<u32> = (0..11).collect();
    let batch = SequenceBatch {
        tokens: context,
        segments: &segments,
        row_positions: &[u32::try_from(context.len() - 1).unwrap(); 11],
        row_targets: &targets,
    };
    Network::new(&model.config, Activations::Kept).logps(&model.parameters, &batch).unwrap()
}

#[test]
fn divergences_of_a_step_are_those_of_whole_distributions() {
    let (policy, reference) = (model(1, 11), model(2, 11));
    let pairs = pairs(&reference);
    let mut batch = [vec![], vec![], vec![], vec![]];
    let mut rows = Vec::new();
    for pair in &pairs {
        let mut side = |ids: &[u32]| {
            let start = batch[0].len();
            for token in 0..ids.len() {
                let context = [&pair.prompt_ids[..], &ids[..token]].concat();
                let [p, q] = [&policy, &reference].map(|model| distribution(model, &context));
                let kl =
                    |p: &[f64], q: &[f64]| -> f64 { p.iter().zip(q).map(|(p, q)| p.exp() * (p - q)).sum() };
                let target = ids[token] as usize;
                for (list, value) in batch.iter_mut().zip([p[target], q[target], kl(&q, &p), kl(&p, &q)]) {
                    list.push(value);
                }
            }
            start..batch[0].len()
        };
        let (chosen, rejected) = (side(&pair.chosen_ids), side(&pair.rejected_ids));
        rows.push(PairRows { chosen, rejected, chosen_nominal: 1.0, rejected_nominal: 1.0 });
    }
    let beside = Beside { reference: Some(&reference), weights: None, ..Beside::default() };
    for objective in ["tdpo1", "tdpo2", "tis-dpo-kl", "tbpo-a"].map(|name| preset(name, &[])) {
        let slow = evaluate(
            &objective,
            &LossBatch {
                logps: &batch[0],
                reference_logps: Some(&batch[1]),
                forward_kls: Some(&batch[2]),
                reverse_kls: Some(&batch[3]),
                weights: &vec![1.0; batch[0].len()],
                pairs: &rows,
                ..LossBatch::default()
            },
        )
        .unwrap();
        let slow = slow.loss_sum / slow.n_units;
        let data = TrainData::new(&pairs).with_beside(beside);
        for tokens in [4096, 1] {
            let config = TrainConfig { tokens_per_batch: tokens, ..config(1) };
            let step = run(&mut policy.clone(), data, &objective, &config).unwrap().last_step.unwrap();
            let loss = step.loss.unwrap();
            assert!((loss - slow).abs() < 1e-5, "{}: {loss} against {slow}", objective.name());
        }
        let eval = evaluate_pairs_on(&Cpu, &policy, &pairs, (&objective, beside), 4096).unwrap();
        assert!((eval.loss.unwrap() - slow).abs() < 1e-5);
    }
}

#[test]
fn a_divergence_holds_the_policy_where_it_is() {
    let reference = model(2, 11);
    let pairs = pairs(&reference);
    let beside = Beside { reference: Some(&reference), weights: None, ..Beside::default() };
    let distance = |alpha: f64| {
        let mut policy = reference.clone();
        let objective = preset("tis-dpo-kl", &[("alpha", alpha), ("beta", 1.0)]);
        run(&mut policy, TrainData::new(&pairs).with_beside(beside), &objective, &config(30)).unwrap();
        let [p, q] = [&policy, &reference].map(|model| distribution(model, &[1, 2, 3]));
        p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum::<f64>()
    };
    let (free, other) = (distance(0.0), distance(2.0));
    assert!(free > 1e-4 && (free - other).abs() > 1e-3 * free, "{free} {other}");
}

#[test]
fn what_an_objective_reads_and_is_not_there_is_named() {
    let reference = model(2, 11);
    let pairs = pairs(&reference);
    let error =
        run(&mut model(1, 11), TrainData::new(&pairs), &preset("tdpo1", &[]), &config(1)).unwrap_err();
    assert_eq!(error.to_string(), "`tdpo1` reads divergences from a frozen model, and none was given");
    let other = model(2, 13);
    let beside = Beside { reference: Some(&other), weights: None, ..Beside::default() };
    let data = TrainData::new(&pairs).with_beside(beside);
    let error = run(&mut model(1, 11), data, &preset("tdpo1", &[]), &config(1)).unwrap_err();
    assert!(matches!(error, TrainError::OtherVocabulary { expected: 11, found: 13 }), "{error}");
    let learned = sepo_loss::Composition {
        weighting: sepo_loss::Weighting::Learned,
        ..sepo_loss::Composition::default()
    };
    let learned = Objective::composed("sparse-po", learned);
    let error = run(&mut model(1, 11), TrainData::new(&pairs), &learned, &config(1)).unwrap_err();
    assert!(matches!(error, TrainError::WeightsLearned { objective: "sparse-po" }), "{error}");
}

/// Weights that are some function of nothing but the place.
#[derive(Debug)]
struct Fixed(f64);

impl StepWeights for Fixed {
    fn identity(&self) -> String {
        format!("fixed {}", self.0)
    }

    fn weights(&self, _: Side, logps: &[f64], reference: Option<&[f64]>) -> Vec<f64> {
        assert_eq!(reference.map(<[f64]>::len), Some(logps.len()));
        logps.iter().enumerate().map(|(token, _)| if token == 0 { self.0 } else { 1.0 }).collect()
    }
}

#[test]
fn weights_of_a_step_are_as_those_of_examples_and_multiply_them() {
    let reference = model(2, 11);
    let mut weighted = pairs(&reference);
    let plain = weighted.clone();
    for pair in &mut weighted {
        let weights = |n: usize, first: f32| -> Option<Vec<f32>> {
            Some((0..n).map(|token| if token == 0 { first } else { 1.0 }).collect())
        };
        pair.chosen_weights = weights(pair.chosen_ids.len(), 0.5);
        pair.rejected_weights = weights(pair.rejected_ids.len(), 0.5);
    }
    let dpo = preset("dpo", &[]);
    let by = |examples, weights| {
        let beside = Beside { reference: None, weights, ..Beside::default() };
        loss_of_first_step(TrainData::new(examples).with_beside(beside), &dpo)
    };
    let of_examples = by(&weighted, None);
    assert!((of_examples - by(&plain, Some(&Fixed(0.5)))).abs() < 1e-12);
    assert!((of_examples - by(&weighted, Some(&Fixed(1.0)))).abs() < 1e-12);
    assert!((of_examples - by(&plain, None)).abs() > 1e-6);
    let mut policy = model(1, 11);
    let step = run(&mut policy, TrainData::new(&weighted), &dpo, &config(1)).unwrap().last_step.unwrap();
    let mean = (17.0 - 3.0) / 17.0; // 17 response tokens, of which the first of each of 6 responses counts half
    assert!((step.weights.mean.unwrap() - mean).abs() < 1e-9);
    assert!((step.weights.effective_beta.unwrap() - 0.1 * mean).abs() < 1e-9);
    let beside = Beside { reference: None, weights: Some(&Fixed(f64::NAN)), ..Beside::default() };
    let error = run(&mut policy, TrainData::new(&plain).with_beside(beside), &dpo, &config(1)).unwrap_err();
    assert!(matches!(error, TrainError::StepWeights { row: 0..=2, .. }), "{error}");
}

#[test]
fn rewards_of_tokens_are_no_weights() {
    let reference = model(2, 11);
    let mut rewarded = pairs(&reference);
    for pair in &mut rewarded {
        pair.chosen_weights = Some(vec![0.0; pair.chosen_ids.len()]);
        pair.rejected_weights = Some(vec![0.0; pair.rejected_ids.len()]);
    }
    let plain = pairs(&reference);
    let of = |examples: &[TrainExample], objective: &Objective| {
        loss_of_first_step(TrainData::new(examples), objective)
    };
    let (treg, dpo) = (preset("t-reg", &[]), preset("dpo", &[]));
    // Rewards of 0: all tokens still count.
    assert!((of(&rewarded, &treg) - of(&plain, &dpo)).abs() < 1e-12);
    rewarded[0].chosen_weights = Some(vec![1.0, 0.0, 0.5]);
    assert!((of(&rewarded, &treg) - of(&plain, &dpo)).abs() > 1e-4);
}

#[test]
fn a_run_of_other_step_weights_or_another_frozen_model_is_another_run() {
    let (reference, other) = (model(2, 11), model(3, 11));
    let pairs = pairs(&reference);
    let objective = preset("tdpo2", &[]);
    let folder = tempfile::tempdir().unwrap();
    let go = |beside: Beside<'_>| {
        let options = RunOptions {
            on: &Cpu,
            dir: Some(folder.path()),
            observer: &mut Silent,
            interrupt: &AtomicBool::new(false),
        };
        let data = TrainData::new(&pairs).with_beside(beside);
        train(&mut model(1, 11), data, &objective, &config(2), options)
    };
    let beside = Beside { reference: Some(&reference), weights: None, ..Beside::default() };
    go(beside).unwrap();
    go(beside).unwrap();
    for (changed, field) in [
        (Beside { reference: Some(&other), ..beside }, "reference_model"),
        (Beside { weights: Some(&Fixed(0.5)), ..beside }, "step_weights"),
    ] {
        let error = go(changed).unwrap_err();
        assert!(
            matches!(&error, TrainError::ConfigChanged { fields, .. } if fields == &[field.to_owned()]),
            "{error}"
        );
    }
}

/// AlignDistil's loss of the pairs from whole distributions.
fn distilled(policy: &Model, toward: &Model, away: &Model, pairs: &[TrainExample], boost: f64) -> f64 {
    let mut total = 0.0;
    for pair in pairs {
        let mut sum = 0.0;
        for token in 0..pair.chosen_ids.len() {
            let context = [&pair.prompt_ids[..], &pair.chosen_ids[..token]].concat();
            let [p, z, other] = [policy, toward, away].map(|model| distribution(model, &context));
            let distance: f64 = z.iter().zip(&other).map(|(z, other)| (z.exp() - other.exp()).abs()).sum();
            let g = boost * distance + 1e-3;
            let teacher: Vec<f64> = z.iter().zip(&other).map(|(z, other)| z + g * (z - other)).collect();
            let lse = teacher.iter().map(|logit| logit.exp()).sum::<f64>().ln();
            let kl: f64 = p.iter().zip(&teacher).map(|(p, logit)| p.exp() * (p - (logit - lse))).sum();
            sum += 0.1 / g * kl;
        }
        total += sum / pair.chosen_ids.len() as f64;
    }
    total / pairs.len() as f64
}

#[test]
fn a_teacher_of_two_models_is_distilled_as_from_whole_distributions() {
    let (policy, toward, away) = (model(1, 11), model(2, 11), model(3, 11));
    let pairs = pairs(&toward);
    let beside = Beside { teacher: Some(Teacher { toward: &toward, away: &away }), ..Beside::default() };
    let data = TrainData::new(&pairs).with_beside(beside);
    for boost in [0.5, 10.0] {
        let objective = preset("aligndistil", &[("boost", boost)]);
        let slow = distilled(&policy, &toward, &away, &pairs, boost);
        for tokens in [4096, 1] {
            let config = TrainConfig { tokens_per_batch: tokens, ..config(1) };
            let step = run(&mut policy.clone(), data, &objective, &config).unwrap().last_step.unwrap();
            let loss = step.loss.unwrap();
            assert!((loss - slow).abs() < 1e-5 * (1.0 + slow), "{loss} against {slow}");
        }
        let eval = evaluate_pairs_on(&Cpu, &policy, &pairs, (&objective, beside), 4096).unwrap();
        assert!((eval.loss.unwrap() - slow).abs() < 1e-5 * (1.0 + slow));
    }
    // It learns: the policy comes nearer to the teacher.
    let objective = preset("aligndistil", &[("boost", 0.5)]);
    let before = distilled(&policy, &toward, &away, &pairs, 0.5);
    let mut learned = policy.clone();
    run(&mut learned, data, &objective, &config(60)).unwrap();
    let after = distilled(&learned, &toward, &away, &pairs, 0.5);
    assert!(after < 0.5 * before, "{before} {after}");
}

#[test]
fn a_teacher_that_is_not_there_or_has_other_tokens_is_named_and_another_one_is_another_run() {
    let (toward, away, other) = (model(2, 11), model(3, 11), model(4, 13));
    let pairs = pairs(&toward);
    let objective = preset("aligndistil", &[]);
    let error = run(&mut model(1, 11), TrainData::new(&pairs), &objective, &config(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`aligndistil` distils a teacher made of two frozen models, and none was given"
    );
    let folder = tempfile::tempdir().unwrap();
    let go = |teacher| {
        let beside = Beside { teacher: Some(teacher), ..Beside::default() };
        let options = RunOptions {
            on: &Cpu,
            dir: Some(folder.path()),
            observer: &mut Silent,
            interrupt: &AtomicBool::new(false),
        };
        train(&mut model(1, 11), TrainData::new(&pairs).with_beside(beside), &objective, &config(1), options)
    };
    let error = go(Teacher { toward: &toward, away: &other }).unwrap_err();
    assert!(matches!(error, TrainError::OtherVocabulary { expected: 11, found: 13 }), "{error}");
    go(Teacher { toward: &toward, away: &away }).unwrap();
    let error = go(Teacher { toward: &away, away: &toward }).unwrap_err();
    let named = matches!(&error, TrainError::ConfigChanged { fields, .. } if fields == &["teacher_models".to_owned()]);
    assert!(named, "{error}");
}

#[test]
fn what_the_policy_would_say_itself_counts_more_as_by_whole_distributions() {
    let (policy, reference) = (model(1, 11), model(2, 11));
    let pairs = pairs(&reference);
    let mut slow = 0.0;
    for pair in &pairs {
        let (mut log_weight, mut margin) = (0.0, 0.0);
        for (ids, sign) in [(&pair.chosen_ids, 1.0), (&pair.rejected_ids, -1.0)] {
            let mut excess = 0.0;
            for token in 0..ids.len() {
                let context = [&pair.prompt_ids[..], &ids[..token]].concat();
                let [p, q] = [&policy, &reference].map(|model| distribution(model, &context));
                let target = ids[token] as usize;
                let collision: f64 = p.iter().map(|p| (2.0 * p).exp()).sum();
                excess += p[target] - collision.ln();
                margin += sign * 0.1 * (p[target] - q[target]);
            }
            log_weight += excess / ids.len() as f64;
        }
        slow += log_weight.exp() * (-margin).exp().ln_1p();
    }
    slow /= pairs.len() as f64;
    let wpo = preset("wpo", &[]);
    for tokens in [4096, 1] {
        let config = TrainConfig { tokens_per_batch: tokens, ..config(1) };
        let data = TrainData::new(&pairs);
        let loss = run(&mut policy.clone(), data, &wpo, &config).unwrap().last_step.unwrap().loss.unwrap();
        assert!((loss - slow).abs() < 1e-5, "{loss} against {slow}");
    }
    let eval = evaluate_pairs_on(&Cpu, &policy, &pairs, (&wpo, Beside::default()), 4096).unwrap();
    assert!((eval.loss.unwrap() - slow).abs() < 1e-5);
}
