//! Norms and biases against `f64`

mod naive;

use naive::{assert_close, cases, dot, finite_differences, values, wide};
use proptest::prelude::*;
use sepo_kernels::{
    LayerNormForward, LayerNormGrads, Write, add_bias, bias_backward, layer_norm, layer_norm_backward,
    rms_norm, rms_norm_backward,
};

const EPS: f32 = 1e-5;

fn rms_norm_naive(x: &[f64], weight: &[f64]) -> Vec<f64> {
    let d = weight.len();
    let rows = x.chunks(d).flat_map(|row| {
        let inv_rms = 1.0 / (dot(row, row) / d as f64 + f64::from(EPS)).sqrt();
        row.iter().zip(weight).map(move |(x, w)| x * inv_rms * w)
    });
    rows.collect()
}

fn layer_norm_naive(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let d = weight.len();
    let rows = x.chunks(d).flat_map(|row| {
        let mean = row.iter().sum::<f64>() / d as f64;
        let var = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
        let inv_std = 1.0 / (var + f64::from(EPS)).sqrt();
        row.iter().zip(weight).zip(bias).map(move |((x, w), b)| (x - mean) * inv_std * w + b)
    });
    rows.collect()
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn rms_norm_agrees_with_its_formula(n_rows in 0_usize..5, d in 1_usize..50, seed in 0_u64..1000) {
        let (x, weight) = (values(seed, n_rows * d, 3.0), values(seed + 1, d, 1.0));
        let dy = values(seed + 2, n_rows * d, 1.0);
        let (mut y, mut inv_rms) = (vec![f32::NAN; n_rows * d], vec![f32::NAN; n_rows]);
        rms_norm(&x, &weight, EPS, &mut y, &mut inv_rms);
        let (x64, weight64, dy64) = (wide(&x), wide(&weight), wide(&dy));
        assert_close(&y, &rms_norm_naive(&x64, &weight64), 1e-6);

        let (mut dx, mut dweight) = (vec![1.0; n_rows * d], vec![1.0; d]);
        rms_norm_backward(&x, &weight, &inv_rms, &dy, &mut dx, &mut dweight, Write::Add);
        let mut expected = finite_differences(&x64, |x| dot(&rms_norm_naive(x, &weight64), &dy64));
        expected.iter_mut().for_each(|dx| *dx += 1.0);
        assert_close(&dx, &expected, 5e-6);
        let mut expected = finite_differences(&weight64, |weight| dot(&rms_norm_naive(&x64, weight), &dy64));
        expected.iter_mut().for_each(|dweight| *dweight += 1.0);
        assert_close(&dweight, &expected, 2e-6);
    }

    #[test]
    fn layer_norm_agrees_with_its_formula(n_rows in 0_usize..5, d in 1_usize..50, seed in 0_u64..1000) {
        let x: Vec<f32> = values(seed, n_rows * d, 3.0).iter().map(|x| x + 2.0).collect();
        let (weight, bias) = (values(seed + 1, d, 1.0), values(seed + 2, d, 1.0));
        let dy = values(seed + 3, n_rows * d, 1.0);
        let mut y = vec![f32::NAN; n_rows * d];
        let (mut mean, mut inv_std) = (vec![f32::NAN; n_rows], vec![f32::NAN; n_rows]);
        layer_norm(&x, &weight, &bias, EPS, &mut y, &mut mean, &mut inv_std);
        let (x64, weight64, bias64, dy64) = (wide(&x), wide(&weight), wide(&bias), wide(&dy));
        // A row of one value is all rounding error, which 1 / sqrt(EPS) magnifies; so is one of two close values.
        let tolerance = 2e-6 * inv_std.iter().fold(1.0_f64, |t, &s| t.max(f64::from(s).powi(2)));
        assert_close(&y, &layer_norm_naive(&x64, &weight64, &bias64), tolerance);

        let (mut dx, mut dweight, mut dbias) = (vec![f32::NAN; n_rows * d], vec![0.0; d], vec![0.0; d]);
        let forward = LayerNormForward { x: &x, weight: &weight, mean: &mean, inv_std: &inv_std };
        let grads = LayerNormGrads { dx: &mut dx, dweight: &mut dweight, dbias: &mut dbias };
        layer_norm_backward(forward, &dy, grads, Write::Overwrite);
        let loss = |x: &[f64], weight: &[f64], bias: &[f64]| dot(&layer_norm_naive(x, weight, bias), &dy64);
        assert_close(&dx, &finite_differences(&x64, |x| loss(x, &weight64, &bias64)), 4.0 * tolerance);
        assert_close(&dweight, &finite_differences(&weight64, |w| loss(&x64, w, &bias64)), 4.0 * tolerance);
        assert_close(&dbias, &finite_differences(&bias64, |b| loss(&x64, &weight64, b)), 1e-6);
    }

    #[test]
    fn bias_is_added_to_rows_and_gathered_from_them(n_rows in 0_usize..300, d in 1_usize..80, seed in 0_u64..1000) {
        let (y, bias) = (values(seed, n_rows * d, 1.0), values(seed + 1, d, 1.0));
        let mut sum = y.clone();
        add_bias(&mut sum, &bias);
        for (i, sum) in sum.iter().enumerate() {
            prop_assert_eq!(*sum, y[i] + bias[i % d]);
        }
        let mut dbias = bias.clone();
        bias_backward(&y, &mut dbias);
        let column = |j: usize| y.iter().skip(j).step_by(d).map(|&y| f64::from(y)).sum::<f64>();
        let expected: Vec<f64> = (0..d).map(|j| f64::from(bias[j]) + column(j)).collect();
        assert_close(&dbias, &expected, 5e-6);
    }
}

#[test]
fn layer_norm_keeps_its_digits_far_from_zero() {
    let x: Vec<f32> = (0..64_u16).map(|i| 4096.0 + f32::from(i % 2)).collect();
    let (mut y, mut mean, mut inv_std) = (vec![0.0; 64], [0.0], [0.0]);
    layer_norm(&x, &[1.0; 64], &[0.0; 64], 0.0, &mut y, &mut mean, &mut inv_std);
    assert_eq!((mean, inv_std), ([4096.5], [2.0]));
}

#[test]
fn an_empty_width_has_no_rows() {
    rms_norm(&[], &[], EPS, &mut [], &mut []);
    add_bias(&mut [], &[]);
    bias_backward(&[], &mut []);
}

#[test]
#[should_panic(expected = "3 values are not rows of 2")]
fn refuses_half_a_row() {
    add_bias(&mut [1.0; 3], &[1.0; 2]);
}
