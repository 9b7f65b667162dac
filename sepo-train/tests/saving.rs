//! Checkpoints on demand and before a deadline, and one run a folder.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use sepo_data::{Lock, LockError};
use sepo_model::Cpu;
use sepo_train::{
    Observer, RunOptions, Status, StepMetrics, TrainConfig, TrainData, TrainError, TrainOutcome, Warning,
    train,
};
use support::{SEPO, checkpoint_file, metrics, quick_config, run, tiny_model, weighted_pairs};

/// Asks for checkpoints after some steps, and sets a deadline.
#[derive(Default)]
struct Asking {
    after: Vec<u64>,
    deadline: Option<Instant>,
    /// How long every step is made to take.
    pause: Duration,
    step: u64,
    saved: Vec<u64>,
    warnings: Vec<String>,
}

impl Observer for Asking {
    fn on_step(&mut self, metrics: &StepMetrics) {
        self.step = metrics.step;
        std::thread::sleep(self.pause);
    }

    fn on_checkpoint(&mut self, step: u64, _folder: &Path) {
        self.saved.push(step);
    }

    fn wants_checkpoint(&mut self) -> bool {
        self.after.contains(&self.step)
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn on_warning(&mut self, warning: &Warning) {
        self.warnings.push(warning.to_string());
    }
}

fn config() -> TrainConfig {
    TrainConfig { save_every: None, max_steps: Some(40), ..quick_config() }
}

fn train_with(observer: &mut Asking, dir: &Path) -> Result<TrainOutcome, TrainError> {
    let examples = weighted_pairs(7, 2);
    let data = TrainData::new(&examples);
    let options = RunOptions { on: &Cpu, dir: Some(dir), observer, interrupt: &AtomicBool::new(false) };
    train(&mut tiny_model(1), data, &SEPO, &config(), options)
}

#[test]
fn a_checkpoint_that_is_wanted_is_written_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut observer = Asking { after: vec![3, 7], ..Asking::default() };
    assert_eq!(train_with(&mut observer, dir.path()).unwrap().status, Status::Done);
    assert_eq!(observer.saved, [3, 7, 40]);
}

#[test]
fn before_a_deadline_the_run_saves_and_stops_and_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let deadline = Instant::now() + Duration::from_millis(400);
    let mut observer =
        Asking { deadline: Some(deadline), pause: Duration::from_millis(20), ..Asking::default() };
    let outcome = train_with(&mut observer, dir.path()).unwrap();
    assert!(
        Instant::now() < deadline + Duration::from_secs(2),
        "the deadline holds, on a busy machine nearly"
    );
    assert_eq!(outcome.status, Status::Interrupted);
    let step = outcome.progress.step;
    assert!((1..40).contains(&step), "{step}");
    assert_eq!(observer.saved, [step]);
    assert!(observer.warnings.last().unwrap().contains("deadline"), "{:?}", observer.warnings);
    // One that has passed makes no step, and loses none.
    let mut late = Asking { deadline: Some(Instant::now()), ..Asking::default() };
    assert_eq!(train_with(&mut late, dir.path()).unwrap().progress.step, step);
    assert_eq!((late.step, late.saved.len()), (0, 0));
    let outcome = train_with(&mut Asking::default(), dir.path()).unwrap();
    assert_eq!((outcome.status, outcome.resumed_from), (Status::Done, Some(step)));
    let whole = tempfile::tempdir().unwrap();
    train_with(&mut Asking::default(), whole.path()).unwrap();
    for file in ["model.safetensors", "optimizer.safetensors", "state.json"] {
        let [found, expected] = [&dir, &whole].map(|dir| checkpoint_file(dir.path(), 40, file));
        assert!(found == expected, "{file}");
    }
    assert_eq!(metrics(dir.path()), metrics(whole.path()));
}

#[test]
fn a_second_run_is_kept_out_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (examples, config) = (weighted_pairs(7, 2), quick_config());
    let checkpoints = dir.path().join("checkpoints");
    std::fs::create_dir_all(checkpoints.join(".tmp-step-00000002")).unwrap();
    let lock = Lock::folder(&checkpoints).unwrap();
    let (.., outcome) = run(Some(dir.path()), &examples, &SEPO, &config);
    let Err(TrainError::Lock(LockError::Held { holder, .. })) = outcome else { panic!("{outcome:?}") };
    assert_eq!(holder.unwrap().pid, std::process::id());
    assert!(checkpoints.join(".tmp-step-00000002").exists(), "another may be writing it");
    assert!(!dir.path().join("metrics.jsonl").exists());
    drop(lock);
    // What a killed process left holds nothing.
    std::fs::write(checkpoints.join(".lock"), r#"{"pid": 1, "host": "gone", "since": "long ago"}"#).unwrap();
    run(Some(dir.path()), &examples, &SEPO, &config).2.unwrap();
    assert!(!checkpoints.join(".lock").exists());
}
