//! Metrics against sums that are written out, with log-probs of one response at a time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::AtomicBool;

use sepo_kernels::Segments;
use sepo_model::{Activations, Cpu, Model, Network, SequenceBatch};
use sepo_train::{RunOptions, TrainConfig, TrainData, TrainExample, evaluate_pairs, reference_logps, train};
use support::{DPO, Recorder, SEPO, random_pairs, run, tiny_model, weighted_pairs};

/// Log-prob of every token of `response` after `prompt`, from a sequence of its own.
fn token_logps(model: &Model, prompt: &[u32], response: &[u32]) -> Vec<f64> {
    let tokens = [prompt, response].concat();
    let positions: Vec<u32> =
        (prompt.len() - 1..tokens.len() - 1).map(|p| u32::try_from(p).unwrap()).collect();
    let batch = SequenceBatch {
        tokens: &tokens,
        segments: &Segments::single(tokens.len()),
        row_positions: &positions,
        row_targets: response,
    };
    Network::new(&model.config, Activations::Kept).logps(&model.parameters, &batch).unwrap()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[track_caller]
fn assert_near(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{found} {expected}");
}

/// Log-probs of tokens with a weight, and of the others.
fn split_by_weight(logps: &[f64], weights: &[f32]) -> [Vec<f64>; 2] {
    let of = |is_selected: bool| {
        let with = logps.iter().zip(weights).filter(|(_, w)| (**w != 0.0) == is_selected);
        with.map(|(logp, _)| *logp).collect()
    };
    [of(true), of(false)]
}

#[derive(Default)]
struct Naive {
    losses: Vec<f64>,
    chosen_rewards: Vec<f64>,
    margins: Vec<f64>,
    chosen_selected: Vec<f64>,
    chosen_unselected: Vec<f64>,
    n_empty: u64,
}

fn naive_sepo(model: &Model, pairs: &[TrainExample]) -> Naive {
    let mut naive = Naive::default();
    for pair in pairs {
        let chosen = token_logps(model, &pair.prompt_ids, &pair.chosen_ids);
        let rejected = token_logps(model, &pair.prompt_ids, &pair.rejected_ids);
        let [chosen, chosen_rest] = split_by_weight(&chosen, pair.chosen_weights.as_ref().unwrap());
        let [rejected, _] = split_by_weight(&rejected, pair.rejected_weights.as_ref().unwrap());
        naive.chosen_unselected.extend(chosen_rest);
        naive.chosen_selected.extend(&chosen);
        if chosen.is_empty() || rejected.is_empty() {
            naive.n_empty += 1;
            continue;
        }
        let (chosen, rejected) = (2.5 * mean(&chosen), 2.5 * mean(&rejected));
        naive.chosen_rewards.push(chosen);
        naive.margins.push(chosen - rejected);
        naive.losses.push((-(chosen - rejected)).exp().ln_1p());
    }
    naive
}

#[test]
fn a_step_reports_means_over_its_whole_batch() {
    let pairs = weighted_pairs(20, 6);
    let config =
        TrainConfig { batch_size: 20, tokens_per_batch: 30, max_steps: Some(1), ..TrainConfig::default() };
    let (_, recorder, _) = run(None, &pairs, &SEPO, &config);
    let step = &recorder.steps[0];
    let naive = naive_sepo(&tiny_model(1), &pairs);
    assert!(naive.n_empty > 0, "the data should hold an empty side");
    assert_eq!((step.pairs, step.empty_pairs), (20, naive.n_empty));
    assert_near(step.loss, mean(&naive.losses));
    assert_near(step.preference.chosen_reward, mean(&naive.chosen_rewards));
    assert_near(step.preference.margin, mean(&naive.margins));
    let correct: Vec<f64> = naive.margins.iter().map(|m| f64::from(u8::from(*m > 0.0))).collect();
    assert_near(step.preference.accuracy, mean(&correct));
    assert_eq!(step.preference.chosen_unselected, None);
    assert_eq!(step.epoch, 1.0);
}

#[test]
fn an_evaluation_knows_every_token() {
    let (model, pairs) = (tiny_model(2), weighted_pairs(20, 6));
    let naive = naive_sepo(&model, &pairs);
    let whole = |pair: &TrainExample, ids: &[u32]| token_logps(&model, &pair.prompt_ids, ids);
    let chosen: Vec<Vec<f64>> = pairs.iter().map(|pair| whole(pair, &pair.chosen_ids)).collect();
    let rejected: Vec<Vec<f64>> = pairs.iter().map(|pair| whole(pair, &pair.rejected_ids)).collect();
    let share = |score: fn(&[f64]) -> f64| {
        let wins = chosen.iter().zip(&rejected).filter(|(c, r)| score(c) > score(r)).count();
        wins as f64 / 20.0
    };
    for tokens_per_batch in [1, 40, 10_000] {
        let report = evaluate_pairs(&model, &pairs, &SEPO, tokens_per_batch).unwrap();
        assert_eq!((report.n, report.n_empty), (20, naive.n_empty));
        assert_near(report.loss, mean(&naive.losses));
        assert_near(report.preference.chosen_selected, mean(&naive.chosen_selected));
        assert_near(report.preference.chosen_unselected, mean(&naive.chosen_unselected));
        let sums: Vec<f64> = chosen.iter().map(|logps| logps.iter().sum()).collect();
        assert_near(report.preference.chosen_logp, mean(&sums));
        assert_eq!(report.accuracy_by_sum, Some(share(|logps| logps.iter().sum())));
        assert_eq!(report.accuracy_by_mean, Some(share(mean)));
        assert_eq!(report.accuracy_by_reward, None);
    }
}

#[test]
fn a_reference_is_the_log_prob_of_each_token_whatever_the_budget() {
    let model = tiny_model(2);
    for tokens_per_batch in [1, 50, 10_000] {
        let mut pairs = weighted_pairs(9, 6);
        pairs.push(TrainExample::text(9, vec![4, 5]));
        pairs.push(TrainExample::text(10, vec![4]));
        reference_logps(&model, &mut pairs, tokens_per_batch).unwrap();
        for pair in &pairs[..9] {
            let reference = pair.reference.as_ref().unwrap();
            let expected = token_logps(&model, &pair.prompt_ids, &pair.rejected_ids);
            assert_eq!(reference.rejected.len(), expected.len());
            for (found, expected) in reference.rejected.iter().zip(expected) {
                assert!((f64::from(*found) - expected).abs() < 1e-5);
            }
        }
        // Nothing predicts a first token without a prompt.
        assert_eq!(pairs[9].reference.as_ref().unwrap().chosen[0], 0.0);
        assert!(pairs[9].reference.as_ref().unwrap().chosen[1] < 0.0);
        assert_eq!(pairs[10].reference.as_ref().unwrap().chosen, [0.0]);
    }
}

#[test]
fn evaluations_stand_in_the_metrics_with_names_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = random_pairs(8, 1);
    reference_logps(&tiny_model(1), &mut pairs, 500).unwrap();
    let config = TrainConfig { eval_every: Some(2), ..support::quick_config() };
    let mut model = tiny_model(1);
    let mut recorder = Recorder::default();
    let interrupt = AtomicBool::new(false);
    let options =
        RunOptions { on: &Cpu, dir: Some(dir.path()), observer: &mut recorder, interrupt: &interrupt };
    let data = TrainData::new(&pairs[..5]).with_eval(&pairs[5..]);
    let outcome = train(&mut model, data, &DPO, &config, options).unwrap();
    let evals: Vec<u64> = recorder.evals.iter().map(|(step, _)| *step).collect();
    assert_eq!(evals, [2, 4]);
    let lines = support::metrics(dir.path());
    assert_eq!(lines.len(), 4 + 2);
    let line = lines.last().unwrap();
    assert_eq!(line["step"], 4);
    let report = outcome.eval.unwrap();
    assert_eq!(line["eval_loss"].as_f64(), report.loss);
    assert_eq!(line["eval_rewards/accuracies"].as_f64(), report.preference.accuracy);
    assert_eq!(report.preference.accuracy, report.accuracy_by_reward);
    assert!(line.get("loss").is_none());
    assert_eq!(evaluate_pairs(&model, &pairs[5..], &DPO, 24).unwrap(), report);
}
