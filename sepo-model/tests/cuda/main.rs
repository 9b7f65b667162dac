//! A network on a device makes what it makes on the CPU: log-probabilities and every weight's gradient.
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

use std::sync::Arc;

use machine::{Machine, machines};
use sepo_kernels::Segments;
use sepo_kernels::cuda::{Bf16, Float};
use sepo_model::{
    Activations, Backend, Cuda, FrozenModel, GenerateConfig, Model, Network, PairTokens, ResponseStates,
    SequenceBatch, generate, generate_on,
};
use support::{CONFIGS, model, pass, relative_l2};

/// Two pairs: of one the responses share a prompt and the last prompt token predicts both; the other has no prompt.
struct Request {
    tokens: Vec<u32>,
    segments: Segments,
    positions: Vec<u32>,
    targets: Vec<u32>,
    dlogps: Vec<f64>,
}

impl Request {
    fn new() -> Self {
        Self {
            tokens: vec![1, 5, 9, 2, 7, 7, 20, 3, 11, 4, 6, 8, 8],
            segments: Segments::new(vec![0, 4, 7, 9, 11, 13], vec![None, Some(0), Some(0), None, None])
                .unwrap(),
            // In no order, one of them without a gradient.
            positions: vec![6, 3, 7, 3, 4, 9, 11],
            targets: vec![8, 7, 11, 3, 7, 6, 8],
            dlogps: vec![1.0, -0.5, 0.25, 2.0, 0.0, -1.5, 0.75],
        }
    }

    /// Nothing is asked.
    fn without_rows() -> Self {
        Self { positions: Vec::new(), targets: Vec::new(), dlogps: Vec::new(), ..Self::new() }
    }

    fn batch(&self) -> SequenceBatch<'_> {
        SequenceBatch {
            tokens: &self.tokens,
            segments: &self.segments,
            row_positions: &self.positions,
            row_targets: &self.targets,
        }
    }
}

/// The same weights, as a number type that rounds has them.
fn rounded<T: Float>(mut model: Model, to_f32: fn(T) -> f32) -> Model {
    model.parameters.as_mut_slice().iter_mut().for_each(|value| *value = to_f32(T::of_f32(*value)));
    model
}

/// What a network on `on` makes of requests, one after the other in the same buffers.
fn on_device<T: Float>(
    on: &Cuda<Machine, T>,
    network: &mut Network<Cuda<Machine, T>>,
    model: &Model,
    request: &Request,
) -> (Vec<f64>, Vec<f32>) {
    let parameters = on.load(&model.parameters).unwrap();
    let alone = network.logps(&parameters, &request.batch()).unwrap();
    let logps = network.forward(&parameters, &request.batch()).unwrap();
    assert_eq!(alone, logps, "keeping activations changes nothing");
    let mut gradient = on.gradient(model.parameters.len()).unwrap();
    network.backward(&parameters, &request.dlogps, &mut gradient).unwrap();
    (logps, on.download(&gradient).unwrap())
}

/// Compares every tensor's gradient by itself, so that a small one is not lost beside large ones.
fn compare<T: Float>(on: Cuda<Machine, T>, name: &str, model: &Model, bounds: [f64; 2], every_output: bool) {
    for activations in [Activations::Kept, Activations::Recomputed] {
        let mut network = Network::on(on.clone(), &model.config, activations);
        if every_output {
            network = network.with_every_output();
        }
        for request in [Request::new(), Request::without_rows(), Request::new()] {
            let (expected, slopes) = pass(model, activations, &request.batch(), |_| request.dlogps.clone());
            let (logps, gradient) = on_device(&on, &mut network, model, &request);
            for (row, (logp, expected)) in logps.iter().zip(&expected).enumerate() {
                let off = (logp - expected).abs();
                assert!(off <= bounds[0], "{name}, row {row}: {logp} and {expected}");
            }
            let norm = |values: &[f32]| values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let whole = norm(&slopes) / (slopes.len() as f64).sqrt();
            for info in model.parameters.layout() {
                let (ours, theirs) = (&gradient[info.range.clone()], &slopes[info.range.clone()]);
                let widen = |values: &[f32]| values.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
                let off = relative_l2(widen(ours).into_iter(), widen(theirs).into_iter()) * norm(theirs);
                // Terms that cancel in a small tensor are of the size of the others.
                let size = norm(theirs).max(whole * (theirs.len() as f64).sqrt() * 0.1);
                assert!(off <= bounds[1] * size, "{name}, {}: {off} of {size}", info.name);
            }
        }
    }
}

#[test]
fn a_network_in_f32_is_that_of_the_cpu() {
    for machine in machines().into_iter().map(Arc::new) {
        for (i, (name, keys)) in CONFIGS.iter().enumerate() {
            let model = model(keys, 7 + i as u64);
            compare(Cuda::<_, f32>::new(Arc::clone(&machine)), name, &model, [3e-5, 1e-4], i % 2 == 1);
        }
    }
}

/// Activations are rounded to 8 bits of mantissa at every step, and so are the gradients that go through them.
#[test]
fn a_network_in_bf16_is_near_that_of_the_cpu() {
    for machine in machines().into_iter().map(Arc::new) {
        for (i, (name, keys)) in CONFIGS.iter().enumerate() {
            let model = rounded(model(keys, 7 + i as u64), Bf16::to_f32);
            compare(Cuda::<_, Bf16>::new(Arc::clone(&machine)), name, &model, [0.15, 0.1], false);
        }
    }
}

#[test]
fn continuations_are_those_of_the_cpu() {
    let prompts = [vec![1], vec![4, 9, 2, 2, 7], vec![20, 3]];
    for machine in machines().into_iter().map(Arc::new) {
        for (i, (name, keys)) in CONFIGS.iter().enumerate() {
            let model = model(keys, 7 + i as u64);
            // Once so many that keys and values outgrow the room that they get at first.
            let max_new_tokens = if i == 0 { 70 } else { 5 };
            let free = GenerateConfig { max_new_tokens, temperature: 0.0, ..Default::default() };
            // One of the sequences ends before the others.
            let end = vec![generate(&model, &prompts, &free).unwrap()[1][1]];
            for config in [free.clone(), GenerateConfig { eos_token_ids: end, ..free }] {
                let expected = generate(&model, &prompts, &config).unwrap();
                let on = Cuda::<_, f32>::new(Arc::clone(&machine));
                assert_eq!(generate_on(&on, &model, &prompts, &config).unwrap(), expected, "{name}");
            }
        }
    }
}

#[test]
fn states_of_responses_are_those_of_the_cpu() {
    let pairs = [
        PairTokens { prompt: &[1, 2], chosen: &[3, 4, 5], rejected: &[6, 7] },
        PairTokens { prompt: &[11], chosen: &[], rejected: &[12] },
    ];
    let model = model(CONFIGS[0].1, 3);
    let expected = FrozenModel::new(&model).response_states(&pairs).unwrap();
    for machine in machines().into_iter().map(Arc::new) {
        let states = |found: ResponseStates, most: f32| {
            assert_eq!(found.sides(), expected.sides());
            for (found, expected) in found.rows().zip(expected.rows()) {
                let near = |(a, b): (&f32, &f32)| (a - b).abs() <= most;
                assert!(found.iter().zip(expected).all(near), "{found:?} and {expected:?}");
            }
        };
        let on = Cuda::<_, f32>::new(Arc::clone(&machine));
        states(FrozenModel::on(&on, &model).unwrap().response_states(&pairs).unwrap(), 3e-5);
        let on = Cuda::<_, Bf16>::new(machine);
        states(FrozenModel::on(&on, &model).unwrap().response_states(&pairs).unwrap(), 0.2);
    }
}
