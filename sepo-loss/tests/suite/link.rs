//! The logistic link far from and close to 0.

use dfdx::prelude::*;
use sepo_loss::{Link, negative_log_sigmoid};

use crate::batches::close;
use crate::naive::{sigmoid, softplus};

/// Margins of both signs from 1e-8 to 1e4, and 0.
fn margins() -> Vec<f64> {
    let positive: Vec<f64> = (-80..=40).map(|tenth| 10f64.powf(f64::from(tenth) / 10.0)).collect();
    positive.iter().copied().chain(positive.iter().map(|z| -z)).chain([0.0, -0.0, 4.6, 4.61]).collect()
}

#[test]
fn value_and_slope_keep_their_relative_precision() {
    let margins = margins();
    let z = Cpu::default().tensor_from_vec(margins.clone(), (margins.len(),));
    let losses = negative_log_sigmoid(z.leaky_trace()).unwrap();
    let values = losses.as_vec();
    let slopes = losses.sum::<Rank0, _>().backward().get(&z).as_vec();
    for ((z, value), slope) in margins.into_iter().zip(values).zip(slopes) {
        assert!(close(value, softplus(-z), 1e-13), "value at {z}: {value}");
        assert!(close(slope, -sigmoid(-z), 1e-13), "slope at {z}: {slope}");
    }
}

#[test]
fn single_precision_keeps_its_own() {
    let margins: Vec<f32> = (-400..=400).map(|tenth: i16| f32::from(tenth) / 10.0).collect();
    let z = Cpu::default().tensor_from_vec(margins.clone(), (margins.len(),));
    let losses = negative_log_sigmoid(z.leaky_trace()).unwrap();
    let values = losses.as_vec();
    let slopes = losses.sum::<Rank0, _>().backward().get(&z).as_vec();
    for ((z, value), slope) in margins.into_iter().zip(values).zip(slopes) {
        // 1 + e is rounded once where e > 0.01: 6e-8 of 1 is 6e-6 of e.
        let z = f64::from(z);
        assert!(close(f64::from(value), softplus(-z), 1e-5), "value at {z}: {value}");
        assert!(close(f64::from(slope), -sigmoid(-z), 1e-5), "slope at {z}: {slope}");
    }
}

#[test]
fn smoothing_mixes_both_labels() {
    for z in [-1e4, -40.0, -1.0, 0.0, 1.0, 40.0, 1e4] {
        let tensor = Cpu::default().tensor_from_vec(vec![z], (1,));
        let loss = Link::Logistic { label_smoothing: 0.1 }.losses(tensor).unwrap().as_vec()[0];
        assert!(close(loss, 0.9 * softplus(-z) + 0.1 * softplus(z), 1e-13), "at {z}: {loss}");
    }
}
