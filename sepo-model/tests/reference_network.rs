//! The hand-written network against the same network in plain dfdx f64 operations.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod reference;
mod support;

use std::collections::BTreeMap;

use sepo_kernels::Segments;
use sepo_model::{Activations, SequenceBatch};
use support::{CONFIGS, model, pass, relative_l2};

const PROMPT: [u32; 4] = [3, 17, 5, 5];
const CHOSEN: [u32; 6] = [1, 9, 22, 0, 4, 2];
const REJECTED: [u32; 3] = [8, 9, 2];

#[test]
fn logps_and_gradients_equal_those_of_the_plain_network() {
    for (name, keys) in CONFIGS {
        let model = model(keys, 11);
        let tokens = [&PROMPT[..], &CHOSEN, &REJECTED].concat();
        let segments = Segments::new(vec![0, 4, 10, 13], vec![None, Some(0), Some(0)]).unwrap();
        let row_positions = [3, 4, 5, 6, 7, 8, 3, 10, 11];
        let row_targets = [&CHOSEN[..], &REJECTED].concat();
        let slopes: Vec<f64> = (0..9).map(|i| f64::from(i * 7 % 5) - 1.5).collect();
        let batch = SequenceBatch {
            tokens: &tokens,
            segments: &segments,
            row_positions: &row_positions,
            row_targets: &row_targets,
        };

        let mut logps = Vec::new();
        let mut gradients: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (response, slopes) in [(&CHOSEN[..], &slopes[..6]), (&REJECTED[..], &slopes[6..])] {
            let ids = [&PROMPT[..], response].concat();
            let padded = [&[0.0; 3][..], slopes].concat();
            let (values, parts) = reference::logps_and_gradients(&model, &ids, &padded);
            logps.extend_from_slice(&values[3..]);
            for (name, part) in parts {
                let sum = gradients.entry(name).or_insert_with(|| vec![0.0; part.len()]);
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
        }

        for activations in [Activations::Kept, Activations::Recomputed] {
            let (ours, gradient) = pass(&model, activations, &batch, |_| slopes.clone());
            for (ours, plain) in ours.iter().zip(&logps) {
                assert!((ours - plain).abs() < 1e-5, "{name}: {ours} and {plain}");
            }
            for info in model.parameters.layout() {
                let plain = &gradients[&info.name];
                let ours = gradient[info.range.clone()].iter().map(|g| f64::from(*g));
                // A key's bias has no gradient but rounding.
                let norm = plain.iter().map(|g| g * g).sum::<f64>().sqrt();
                let off = relative_l2(ours, plain.iter().copied()) * norm / norm.max(1e-3);
                assert!(off < 1e-4, "{name}: {} is off by {off}", info.name);
            }
        }
    }
}
