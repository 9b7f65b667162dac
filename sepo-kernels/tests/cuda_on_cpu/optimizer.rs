//! What a step does with a flat gradient: its norm, the factor of mean and clip, AdamW

use crate::machine::{Machine, machines};
use crate::rounding::{assert_rounded, floats};
use sepo_kernels::cuda::{self, AdamWState, Bf16, Clip, sum_of_squares_len};
use sepo_kernels::{AdamWStep, adamw, sum_of_squares};

fn step(gradient_factor: f32) -> AdamWStep {
    let (beta1, beta2, eps) = (0.9, 0.95, 1e-8);
    AdamWStep { learning_rate: 0.01, beta1, beta2, eps, weight_decay: 0.1, gradient_factor, step: 3 }
}

fn compare(on: &Machine, n: usize, max_norm: Option<f64>) {
    let grads = crate::naive::values(1, n, 2.0);
    let n_units = 3.0;
    let at_grads = on.memory(&grads);
    let mut partials = on.garbage(sum_of_squares_len(n));
    cuda::sum_of_squares(on, at_grads.slice(), partials.slice_mut()).expect("a launch");
    let (total, expected) = (partials.read().iter().sum::<f64>(), sum_of_squares(&grads));
    assert!((total - expected).abs() <= 1e-12 * expected, "{total} is not {expected}");

    let (mut norm, mut factor) = (on.garbage(1), on.garbage(1));
    let clip = Clip { n_units, max_norm, norm: norm.slice_mut(), factor: factor.slice_mut() };
    cuda::clip_factor(on, partials.slice(), clip).expect("a launch");
    let mean = expected.sqrt() / n_units;
    let shortened = max_norm.map_or(1.0, |max_norm| (max_norm / (mean + 1e-6)).min(1.0)) / n_units;
    assert!((norm.read()[0] - mean).abs() <= 1e-12 * mean);
    assert!((f64::from(factor.read()[0]) - shortened).abs() <= 1e-7 * shortened);

    let moments = |seed| crate::naive::values(seed, n, 1.0).into_iter().map(f32::abs).collect::<Vec<f32>>();
    let (mut params, mut m, mut v) = (crate::naive::values(2, n, 1.0), moments(3), moments(4));
    let (mut at_params, mut at_m, mut at_v) = (on.memory(&params), on.memory(&m), on.memory(&v));
    adamw(&mut params, &grads, &mut m, &mut v, &step(factor.read()[0]));
    let mut copies = on.garbage::<Bf16>(n);
    let state = AdamWState {
        params: at_params.slice_mut(),
        copies: Some(copies.slice_mut()),
        m: at_m.slice_mut(),
        v: at_v.slice_mut(),
    };
    cuda::adamw(on, state, at_grads.slice(), factor.slice(), &step(f32::NAN)).expect("a launch");
    assert_rounded(&at_params.read(), &params, 2e-7);
    assert_rounded(&at_m.read(), &m, 1e-7);
    assert_rounded(&at_v.read(), &v, 1e-7);
    let rounded: Vec<f32> = at_params.read().iter().map(|&p| Bf16::from_f32(p).to_f32()).collect();
    assert_eq!(floats(&copies.read()), rounded);
    let mut copies = on.garbage::<Bf16>(n);
    cuda::round_to_bf16(on, at_params.slice(), copies.slice_mut()).expect("a launch");
    assert_eq!(floats(&copies.read()), rounded);
}

#[test]
fn a_step_agrees_with_the_cpu_forms() {
    for on in machines() {
        for n in [1, 6, 1023, 5000] {
            compare(&on, n, None);
            compare(&on, n, Some(0.5));
            compare(&on, n, Some(1e9));
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    for on in machines() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let grads = on.memory(&[1.0, bad, 2.0]);
            let mut partials = on.garbage(sum_of_squares_len(3));
            cuda::sum_of_squares(&on, grads.slice(), partials.slice_mut()).expect("a launch");
            let (mut norm, mut factor) = (on.memory(&[0.0]), on.memory(&[0.0_f32]));
            let clip = Clip {
                n_units: 1.0,
                max_norm: Some(1.0),
                norm: norm.slice_mut(),
                factor: factor.slice_mut(),
            };
            cuda::clip_factor(&on, partials.slice(), clip).expect("a launch");
            assert!(!norm.read()[0].is_finite() && factor.read()[0].is_nan(), "{bad}");

            let before = [0.5, -1.5, 3.0];
            let [mut params, mut m, mut v] = [(); 3].map(|()| on.memory(&before));
            let mut copies = on.memory(&before.map(Bf16::from_f32));
            let state = AdamWState {
                params: params.slice_mut(),
                copies: Some(copies.slice_mut()),
                m: m.slice_mut(),
                v: v.slice_mut(),
            };
            cuda::adamw(&on, state, grads.slice(), factor.slice(), &step(1.0)).expect("a launch");
            assert_eq!([params.read(), m.read(), v.read()], [(); 3].map(|()| before.to_vec()));
            assert_eq!(floats(&copies.read()), before);
        }
    }
}
