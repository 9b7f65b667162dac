//! The two stages on a tiny model and planted preferences: each moves what it is for.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::sync::atomic::AtomicBool;

use sepo_loss::Objective;
use sepo_model::{Cpu, Model, ModelConfig};
use sepo_oracle::{DpoConfig, OracleError, Subset, stored_reference_logps, train_oracle, train_reference};
use sepo_train::{
    EvalReport, Examples, RunOptions, Scheduler, Silent, Status, TrainConfig, TrainData, TrainError,
    TrainExample, evaluate_pairs, permutation,
};

const DPO: Objective = Objective::Dpo { beta: 0.1, label_smoothing: 0.0 };

fn base() -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 32, "hidden_size": 24, "intermediate_size": 32,
            "num_hidden_layers": 2, "num_attention_heads": 2}"#,
    );
    Model::random(config.unwrap(), 5).unwrap()
}

/// Pairs of the same filler (ids 8 to 23); the chosen response has one token of 24..28 in it, the rejected one of 28..32.
fn planted(n: usize) -> Vec<TrainExample> {
    let pair = |row: usize| {
        let draw = |what: u64, n_values: usize| permutation(n_values, row as u64, what)[0];
        let ids = |what: u64, n: u64| -> Vec<u32> {
            (0..n).map(|t| 8 + u32::try_from(draw(what + t, 16)).unwrap()).collect()
        };
        let [mut chosen, mut rejected] = [ids(100, 6), ids(200, 6)];
        chosen[draw(1, 6)] = 24 + u32::try_from(draw(2, 4)).unwrap();
        rejected[draw(3, 6)] = 28 + u32::try_from(draw(4, 4)).unwrap();
        chosen.push(2);
        rejected.push(2);
        TrainExample::pair(row as u64, [vec![1], ids(300, 3)].concat(), chosen, rejected)
    };
    (0..n).map(pair).collect()
}

fn config(steps: u64) -> TrainConfig {
    TrainConfig {
        learning_rate: 5e-3,
        batch_size: 16,
        max_steps: Some(steps),
        scheduler: Scheduler::Constant,
        seed: 3,
        ..TrainConfig::default()
    }
}

fn at(pairs: &[TrainExample], indices: &[u32]) -> Vec<TrainExample> {
    indices.iter().map(|&i| pairs[i as usize].clone()).collect()
}

fn report(model: &Model, pairs: &[TrainExample], objective: &Objective) -> EvalReport {
    evaluate_pairs(model, pairs, objective, 4096).unwrap()
}

#[test]
fn the_reference_learns_chosen_responses_and_the_oracle_the_preference() {
    let dir = tempfile::tempdir().unwrap();
    let interrupt = AtomicBool::new(false);
    let mut silent = Silent;
    let pairs = planted(240);
    let subset = Subset::draw(pairs.len(), 0.6, 1).unwrap();
    let (mut used, mut held_out) = (at(&pairs, &subset.used), at(&pairs, &subset.held_out));

    let base = base();
    let mut reference = base.clone();
    let options = RunOptions { on: &Cpu, dir: None, observer: &mut silent, interrupt: &interrupt };
    let outcome = train_reference(&mut reference, &used, &config(40), options).unwrap();
    assert_eq!((outcome.status, outcome.progress.step), (Status::Done, 40));
    for pairs in [&used, &held_out] {
        let gain = |report: fn(&EvalReport) -> Option<f64>| {
            let of = |model| report(&self::report(model, pairs, &Objective::Sft)).unwrap();
            of(&reference) - of(&base)
        };
        let chosen = gain(|report| report.preference.chosen_logp);
        let rejected = gain(|report| report.preference.rejected_logp);
        assert!(chosen > 3.0, "{chosen} nats for a response of 7 tokens");
        assert!(chosen > rejected + 1.0, "{chosen} and {rejected}");
        assert!(gain(|report| report.loss) < -0.4);
    }

    for (pairs, name) in [(&mut used, "used"), (&mut held_out, "held_out")] {
        stored_reference_logps(&reference, pairs, &dir.path().join(name), 500).unwrap();
    }
    let start = report(&reference, &held_out, &DPO);
    // Packed differently, so a log-ratio of 0 but for rounding.
    assert!((start.loss.unwrap() - 2f64.ln()).abs() < 1e-5, "{:?}", start.loss);

    let mut oracle = reference.clone();
    let options = RunOptions { on: &Cpu, dir: None, observer: &mut silent, interrupt: &interrupt };
    let data = TrainData::new(&used).with_eval(&held_out);
    let outcome = train_oracle(&mut oracle, data, DpoConfig::default(), &config(60), options).unwrap();
    let (seen, unseen) = (report(&oracle, &used, &DPO), report(&oracle, &held_out, &DPO));
    assert_eq!(outcome.eval.unwrap().accuracy_by_reward, unseen.accuracy_by_reward);
    assert!(seen.accuracy_by_reward.unwrap() > 0.95, "in sample: {:?}", seen.accuracy_by_reward);
    assert!(unseen.accuracy_by_reward.unwrap() > 0.9, "held out: {:?}", unseen.accuracy_by_reward);
    assert!(unseen.loss.unwrap() < 0.6, "{:?}", unseen.loss);
}

#[test]
fn the_reference_does_not_look_at_rejected_responses_or_weights() {
    let pairs = planted(30);
    let others: Vec<TrainExample> = pairs
        .iter()
        .map(|pair| TrainExample {
            rejected_ids: vec![9],
            chosen_weights: Some(vec![0.0; pair.chosen_ids.len()]),
            ..pair.clone()
        })
        .collect();
    let trained = [&pairs, &others].map(|pairs| {
        let mut model = base();
        let interrupt = AtomicBool::new(false);
        let options = RunOptions { on: &Cpu, dir: None, observer: &mut Silent, interrupt: &interrupt };
        train_reference(&mut model, pairs, &config(3), options).unwrap();
        model.parameters.content_hash()
    });
    assert_eq!(trained[0], trained[1]);
    assert_ne!(trained[0], base().parameters.content_hash());
}

#[test]
fn stages_name_themselves_in_their_errors() {
    let pairs = planted(4);
    let interrupt = AtomicBool::new(false);
    let mut silent = Silent;
    let options = RunOptions { on: &Cpu, dir: None, observer: &mut silent, interrupt: &interrupt };
    let data = TrainData::new(&pairs);
    let error = train_oracle(&mut base(), data, DpoConfig::default(), &config(1), options).unwrap_err();
    let OracleError::Train { stage: "oracle", source: TrainError::NoReference { row: 0 } } = error else {
        panic!("{error:?}")
    };
    let options = RunOptions { on: &Cpu, dir: None, observer: &mut silent, interrupt: &interrupt };
    let error = train_reference(&mut base(), Examples::NONE, &config(1), options).unwrap_err();
    assert!(matches!(error, OracleError::Train { stage: "reference", source: TrainError::NoExamples }));
}

#[test]
fn an_interrupted_stage_goes_on_in_its_folder_to_the_same_weights() {
    let pairs = planted(32);
    let run = |dir: &std::path::Path, interrupt: bool| {
        let mut model = base();
        let flag = AtomicBool::new(interrupt);
        let options = RunOptions { on: &Cpu, dir: Some(dir), observer: &mut Silent, interrupt: &flag };
        let outcome = train_reference(&mut model, &pairs, &config(4), options).unwrap();
        (outcome.status, model.parameters.content_hash())
    };
    let [whole, cut] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    assert_eq!(run(cut.path(), true).0, Status::Interrupted);
    assert_eq!(run(cut.path(), false), run(whole.path(), false));
}
