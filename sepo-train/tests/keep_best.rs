//! The checkpoint of the best evaluation stays, besides the newest ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use sepo_model::{Cpu, Model};
use sepo_train::{
    BestMetric, RunOptions, TrainConfig, TrainData, TrainError, TrainOutcome, evaluate_pairs, train,
};
use support::{
    Recorder, SEPO, bits, checkpoint_steps, quick_config, random_pairs, tiny_model, weighted_pairs,
};

/// 12 steps with a learning rate at which the evaluation gets better and worse.
fn config(metric: BestMetric) -> TrainConfig {
    TrainConfig {
        learning_rate: 3e-2,
        max_steps: Some(12),
        save_every: None,
        eval_every: Some(1),
        keep_checkpoints: 1,
        keep_best: Some(metric),
        ..quick_config()
    }
}

/// A run that is asked to stop after a step, or not; with its evaluations.
fn train_until(stop: Option<u64>, dir: &Path, config: &TrainConfig) -> (Recorder<'static>, TrainOutcome) {
    let (examples, eval) = (weighted_pairs(7, 2), random_pairs(6, 9));
    let interrupt = AtomicBool::new(false);
    let mut recorder = Recorder { stop_after: stop.map(|step| (step, &interrupt)), ..Recorder::default() };
    let options = RunOptions { on: &Cpu, dir: Some(dir), observer: &mut recorder, interrupt: &interrupt };
    let data = TrainData::new(&examples).with_eval(&eval);
    let outcome = train(&mut tiny_model(1), data, &SEPO, config, options).unwrap();
    let recorder =
        Recorder { evals: recorder.evals, checkpoints: recorder.checkpoints, ..Recorder::default() };
    (recorder, outcome)
}

#[test]
fn the_best_evaluation_is_the_one_that_is_kept_whatever_comes_after() {
    for (metric, sign) in [(BestMetric::Loss, 1.0), (BestMetric::Accuracy, -1.0)] {
        let dir = tempfile::tempdir().unwrap();
        let (recorder, outcome) = train_until(None, dir.path(), &config(metric));
        let value = |report: &sepo_train::EvalReport| match metric {
            BestMetric::Loss => report.loss.unwrap(),
            BestMetric::Accuracy => report.preference.accuracy.unwrap(),
        };
        // The first of the smallest.
        let smallest = |best: (u64, f64), (step, report): &(u64, sepo_train::EvalReport)| {
            if sign * value(report) < best.1 { (*step, sign * value(report)) } else { best }
        };
        let (step, expected) = recorder.evals.iter().fold((0, f64::INFINITY), smallest);
        let best = outcome.best.unwrap();
        assert_eq!((best.metric, best.step, best.value), (metric, step, sign * expected));
        let mut expected = vec![step, 12];
        expected.dedup();
        assert_eq!(checkpoint_steps(dir.path()), expected);
        assert!(step < 12, "the trial should get worse again");
        // It is a model that can be loaded, and does as was said.
        let kept = Model::load(&dir.path().join(format!("checkpoints/step-{step:08}"))).unwrap();
        let report = evaluate_pairs(&kept, &random_pairs(6, 9), &SEPO, 24).unwrap();
        assert_eq!(value(&report), best.value);
    }
}

#[test]
fn a_run_that_is_stopped_and_goes_on_keeps_the_same_best() {
    let config = config(BestMetric::Loss);
    let whole = tempfile::tempdir().unwrap();
    let (_, expected) = train_until(None, whole.path(), &config);
    for stop in 1..12 {
        let dir = tempfile::tempdir().unwrap();
        train_until(Some(stop), dir.path(), &config);
        let (_, outcome) = train_until(None, dir.path(), &config);
        assert_eq!(outcome.best, expected.best, "stopped after {stop}");
        assert_eq!(checkpoint_steps(dir.path()), checkpoint_steps(whole.path()), "stopped after {stop}");
        let load = |dir: &Path| bits(&Model::load(&dir.join("checkpoints/step-00000012")).unwrap());
        assert_eq!(load(dir.path()), load(whole.path()));
    }
}

#[test]
fn a_best_that_nothing_measures_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (.., outcome) =
        support::run(Some(dir.path()), &weighted_pairs(7, 2), &SEPO, &config(BestMetric::Loss));
    assert!(matches!(outcome, Err(TrainError::NoEvaluation)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
