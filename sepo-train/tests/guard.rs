//! Guards warn at the same steps whether a run was stopped or not, and stop a run where they are asked to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use sepo_loss::Objective;
use sepo_model::Cpu;
use sepo_train::{GuardName, Status, TrainConfig, TrainExample};
use support::{DPO, Recorder, bits, metrics, quick_config, run};

/// Random pairs, at a learning rate that ruins a model.
fn harmful() -> (Vec<TrainExample>, Objective, TrainConfig) {
    let simpo = Objective::SimPo { beta: 2.0, gamma: 0.5, label_smoothing: 0.0 };
    let examples = support::random_pairs(96, 4);
    let config = TrainConfig {
        learning_rate: 0.05,
        batch_size: 16,
        tokens_per_batch: 400,
        max_steps: Some(100),
        save_every: None,
        warmup_ratio: 0.7,
        scheduler: sepo_train::Scheduler::Constant,
        loss_watchdog: 0.02,
        ..quick_config()
    };
    (examples, simpo, config)
}

/// What the guards said.
fn alarms(recorder: &Recorder<'_>) -> Vec<String> {
    let is_alarm =
        |warning: &&String| ["loss-rise", "displacement", "length-bias"].iter().any(|g| warning.contains(g));
    recorder.warnings.iter().filter(is_alarm).cloned().collect()
}

#[test]
fn a_resumed_run_warns_at_the_steps_of_one_that_never_stopped() {
    let (examples, objective, config) = harmful();
    let (_, recorder, outcome) = run(None, &examples, &objective, &config);
    assert_eq!(outcome.unwrap().status, Status::Done);
    let expected = alarms(&recorder);
    assert!(expected.iter().any(|alarm| alarm.contains("displacement")), "{expected:?}");
    assert!(expected.iter().any(|alarm| alarm.contains("loss-rise")), "{expected:?}");
    for stop in [1, 19, 20, 40, 45, 77, 99] {
        let dir = tempfile::tempdir().unwrap();
        let before = run_until_with(stop, dir.path(), &examples, &objective, &config);
        let (_, recorder, outcome) = run(Some(dir.path()), &examples, &objective, &config);
        assert_eq!(outcome.unwrap().resumed_from, Some(stop));
        assert_eq!([before, alarms(&recorder)].concat(), expected, "stopped after {stop}");
    }
}

/// What the guards said until a run was asked to stop.
fn run_until_with(
    stop: u64,
    dir: &std::path::Path,
    examples: &[TrainExample],
    objective: &Objective,
    config: &TrainConfig,
) -> Vec<String> {
    let interrupt = std::sync::atomic::AtomicBool::new(false);
    let mut recorder = Recorder { stop_after: Some((stop, &interrupt)), ..Recorder::default() };
    let options =
        sepo_train::RunOptions { on: &Cpu, dir: Some(dir), observer: &mut recorder, interrupt: &interrupt };
    let data = sepo_train::TrainData::new(examples);
    sepo_train::train(&mut support::tiny_model(1), data, objective, config, options).unwrap();
    alarms(&recorder)
}

#[test]
fn a_guard_that_is_asked_to_stops_the_run_with_a_checkpoint_until_it_is_not() {
    let (examples, objective, config) = harmful();
    let (expected, ..) = run(None, &examples, &objective, &config);
    let dir = tempfile::tempdir().unwrap();
    let stopping = TrainConfig { stop_on: vec![GuardName::Displacement], ..config.clone() };
    let (_, recorder, outcome) = run(Some(dir.path()), &examples, &objective, &stopping);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, outcome.stopped_by), (Status::Guarded, Some(GuardName::Displacement)));
    let step = outcome.progress.step;
    assert!((20..100).contains(&step));
    assert!(recorder.warnings.last().unwrap().starts_with(&format!("step {step}: displacement: ")));
    assert_eq!(recorder.checkpoints, [step]);
    // The same call stops again, at once.
    let (_, recorder, again) = run(Some(dir.path()), &examples, &objective, &stopping);
    assert_eq!((again.unwrap().stopped_by, recorder.steps.len()), (Some(GuardName::Displacement), 0));
    // Without it, or with another, the run goes on to where it would have come.
    let other = TrainConfig { stop_on: vec![GuardName::LengthBias], ..config };
    let (model, _, outcome) = run(Some(dir.path()), &examples, &objective, &other);
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, outcome.resumed_from, outcome.stopped_by), (Status::Done, Some(step), None));
    assert_eq!(bits(&model), bits(&expected));
    assert_eq!(metrics(dir.path()).len(), 100);
}

#[test]
fn a_run_that_goes_well_is_not_warned_of() {
    let mut examples = support::random_pairs(40, 1);
    sepo_train::reference_logps(&support::tiny_model(1), &mut examples, 500).unwrap();
    let config = TrainConfig {
        learning_rate: 1e-4,
        batch_size: 16,
        tokens_per_batch: 400,
        max_steps: Some(120),
        stop_on: vec![GuardName::LossRise, GuardName::Displacement, GuardName::LengthBias],
        ..quick_config()
    };
    let (_, recorder, outcome) = run(None, &examples, &DPO, &config);
    assert_eq!(outcome.unwrap().status, Status::Done);
    assert_eq!(alarms(&recorder), [""; 0]);
}
