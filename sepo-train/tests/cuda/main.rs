//! A run on a device comes to what it comes to on the CPU, and goes on from where it was stopped, bit for bit.
//!
//! Where there is no GPU, the launches are run by a CPU, as in the tests of `sepo-kernels`, whose machines these are.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]
#![expect(clippy::cast_possible_truncation, reason = "test inputs are small")]

#[path = "../../../sepo-kernels/tests/cuda_on_cpu/build.rs"]
mod build;
#[expect(dead_code, reason = "tests of kernels use more of it")]
#[path = "../../../sepo-kernels/tests/cuda_on_cpu/machine.rs"]
mod machine;
#[path = "../../../sepo-kernels/tests/cuda_on_cpu/process.rs"]
mod process;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use machine::{Machine, machines};
use sepo_kernels::cuda::{Bf16, Float};
use sepo_loss::{Objective, Preset};
use sepo_model::{Cpu, Cuda, Dtype, FrozenModel, Model};
use sepo_train::{
    Beside, Quantity, ReferenceLogps, RunOptions, StepMetrics, Teacher, TrainBackend, TrainConfig, TrainData,
    TrainError, TrainExample, evaluate_pairs_on, reference_logps, reference_logps_of_each, train,
};
use support::{
    DPO, Recorder, SEPO, bits, checkpoint_file, metrics, quick_config, random_pairs, tiny_model,
    weighted_pairs,
};

fn devices<T: Float>() -> Vec<Cuda<Machine, T>> {
    machines().into_iter().map(Arc::new).map(Cuda::new).collect()
}

fn pairs() -> Vec<TrainExample> {
    let mut pairs = weighted_pairs(6, 3);
    pairs.extend(random_pairs(2, 4));
    reference_logps(&tiny_model(2), &mut pairs, 4096).unwrap();
    pairs
}

/// Large against the gradient, so that the first updates are no signs of numbers that rounding decides.
fn config() -> TrainConfig {
    TrainConfig { adam_eps: 1e-2, learning_rate: 3e-2, max_steps: Some(5), ..quick_config() }
}

/// A run of the model of seed 1: what it has become, and every step.
fn run<B: TrainBackend>(
    on: &B,
    data: TrainData<'_>,
    objective: &Objective,
    config: &TrainConfig,
    (dir, stop_after): (Option<&Path>, Option<u64>),
) -> Result<(Model, Vec<StepMetrics>), TrainError> {
    let mut model = tiny_model(1);
    let interrupt = AtomicBool::new(false);
    let mut recorder =
        Recorder { stop_after: stop_after.map(|step| (step, &interrupt)), ..Recorder::default() };
    let options = RunOptions { on, dir, observer: &mut recorder, interrupt: &interrupt };
    train(&mut model, data, objective, config, options)?;
    Ok((model, recorder.steps))
}

fn distance(a: &Model, b: &Model) -> f64 {
    let both = a.parameters.as_slice().iter().zip(b.parameters.as_slice());
    both.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
}

/// How far two runs have come apart, of how far one has come.
fn apart(ours: &Model, theirs: &Model) -> f64 {
    distance(ours, theirs) / distance(theirs, &tiny_model(1))
}

fn preset(name: &str) -> Objective {
    Preset::find(name).unwrap().objective(&[]).unwrap()
}

#[test]
fn a_run_on_a_device_is_that_of_the_cpu() {
    let pairs = pairs();
    let (reference, away) = (tiny_model(2), tiny_model(3));
    let beside = Beside {
        reference: Some(&reference),
        teacher: Some(Teacher { toward: &reference, away: &away }),
        ..Beside::default()
    };
    let data = TrainData::new(&pairs).with_eval(&pairs[..3]).with_beside(beside);
    // Log-probabilities alone, with a reference, divergences, collisions, a teacher made of two.
    let objectives = [SEPO, DPO, Objective::Sft, preset("tdpo2"), preset("wpo"), preset("aligndistil")];
    for on in devices::<f32>() {
        for objective in &objectives {
            let name = objective.name();
            let (ours, steps) = run(&on, data, objective, &config(), (None, None)).unwrap();
            let (theirs, expected) = run(&Cpu, data, objective, &config(), (None, None)).unwrap();
            for (step, expected) in steps.iter().zip(&expected) {
                let near = |a: Option<f64>, b: Option<f64>| {
                    a.zip(b).is_none_or(|(a, b)| (a - b).abs() <= 1e-4 * b.abs().max(1.0))
                };
                assert!(near(step.loss, expected.loss), "{name}: {step:?}, {expected:?}");
                assert!(near(step.grad_norm, expected.grad_norm), "{name}: {step:?}, {expected:?}");
                assert_eq!((step.rows, step.empty_pairs), (expected.rows, expected.empty_pairs));
            }
            assert_eq!(steps.len(), expected.len());
            let off = apart(&ours, &theirs);
            assert!(off < 1e-3, "{name}: the weights are {off} apart");
            let evaluate =
                |model: &Model| evaluate_pairs_on(&on, model, &pairs, (objective, beside), 30).unwrap();
            let expected = evaluate_pairs_on(&Cpu, &theirs, &pairs, (objective, beside), 4096).unwrap();
            let report = evaluate(&theirs);
            assert!((report.loss.unwrap() - expected.loss.unwrap()).abs() < 1e-4, "{name}");
            assert_eq!(report.accuracy_by_sum, expected.accuracy_by_sum);
        }
    }
}

#[test]
fn a_run_in_bf16_keeps_its_weights_in_f32() {
    let pairs = pairs();
    let config = TrainConfig { dtype: Dtype::Bf16, ..config() };
    let expected = TrainConfig { dtype: Dtype::F32, ..config.clone() };
    let (theirs, _) = run(&Cpu, TrainData::new(&pairs), &SEPO, &expected, (None, None)).unwrap();
    for on in devices::<Bf16>() {
        let (ours, _) = run(&on, TrainData::new(&pairs), &SEPO, &config, (None, None)).unwrap();
        let off = apart(&ours, &theirs);
        assert!(off < 0.1, "{off} apart");
        // They are no numbers of bf16.
        let is_rounded = |bits: &u32| bits & 0xffff == 0;
        assert!(bits(&ours).iter().filter(|bits| is_rounded(bits)).count() < ours.parameters.len() / 4);
    }
}

fn resumes<T: Float>(dtype: Dtype) {
    let pairs = pairs();
    let config = TrainConfig { dtype, max_steps: Some(5), ..quick_config() };
    for on in devices::<T>() {
        let [whole, stopped] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let go =
            |dir: &Path, stop| run(&on, TrainData::new(&pairs), &DPO, &config, (Some(dir), stop)).unwrap();
        let (expected, _) = go(whole.path(), None);
        go(stopped.path(), Some(3));
        let (ours, steps) = go(stopped.path(), None);
        assert_eq!(steps.iter().map(|step| step.step).collect::<Vec<u64>>(), [4, 5]);
        assert_eq!(bits(&ours), bits(&expected));
        assert_eq!(metrics(stopped.path()), metrics(whole.path()));
        for file in ["model.safetensors", "optimizer.safetensors"] {
            let [ours, expected] = [&stopped, &whole].map(|dir| checkpoint_file(dir.path(), 5, file));
            assert_eq!(ours, expected, "{file}");
        }
    }
}

#[test]
fn a_run_on_a_device_goes_on_bit_for_bit() {
    resumes::<f32>(Dtype::F32);
    resumes::<Bf16>(Dtype::Bf16);
}

#[test]
fn another_device_is_another_run_and_numbers_of_another_type_are_refused() {
    let pairs = pairs();
    for on in devices::<f32>() {
        let folder = tempfile::tempdir().unwrap();
        let data = TrainData::new(&pairs);
        run(&Cpu, data, &SEPO, &config(), (Some(folder.path()), None)).unwrap();
        let error = run(&on, data, &SEPO, &config(), (Some(folder.path()), None)).unwrap_err();
        let named = matches!(&error, TrainError::ConfigChanged { fields, .. } if *fields == ["device"]);
        assert!(named, "{error}");
        let bf16 = TrainConfig { dtype: Dtype::Bf16, ..config() };
        let error = run(&on, data, &SEPO, &bf16, (None, None)).unwrap_err();
        assert_eq!(error.to_string(), "`dtype` is bf16, and the run is on a device with f32");
    }
}

#[test]
fn a_gradient_that_is_not_finite_names_its_row_and_changes_nothing() {
    let mut pairs = random_pairs(3, 2);
    pairs[2].chosen_weights = Some(vec![f32::MAX; pairs[2].chosen_ids.len()]);
    for on in devices::<f32>() {
        let config = TrainConfig { tokens_per_batch: 1, ..quick_config() };
        let error = run(&on, TrainData::new(&pairs), &Objective::Sft, &config, (None, None)).unwrap_err();
        let TrainError::Diverged { quantity, step, rows, .. } = error else { panic!("{error}") };
        assert_eq!((quantity, step, rows), (Quantity::Gradient, 1, vec![102]));
    }
}

#[test]
fn log_probs_of_a_reference_are_those_of_the_cpu() {
    let mut expected = random_pairs(7, 5);
    let (reference, pairs) = (tiny_model(2), expected.clone());
    reference_logps(&reference, &mut expected, 4096).unwrap();
    for on in devices::<f32>() {
        let mut found: Vec<ReferenceLogps> = Vec::new();
        let mut model = FrozenModel::on(&on, &reference).unwrap();
        reference_logps_of_each(&mut model, &pairs, 30, |_, logps| {
            found.push(logps);
            Ok::<(), TrainError>(())
        })
        .unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected.iter().flat_map(|pair| &pair.reference)) {
            let sides = [(&found.chosen, &expected.chosen), (&found.rejected, &expected.rejected)];
            for (found, expected) in sides {
                assert_eq!(found.len(), expected.len());
                assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 3e-5));
            }
        }
    }
}
