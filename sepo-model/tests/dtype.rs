//! What bf16 products change, and by how much.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use sepo_kernels::Segments;
use sepo_model::{Dtype, Model, Network, SequenceBatch};
use support::{CONFIGS, VOCAB, model, relative_l2};

/// A unit of rounding of bf16, 2^-9: every operand is off by at most that much of itself. What a few blocks make of it is
/// a small multiple.
const ROUNDING: f64 = 1.0 / 512.0;

fn run(model: &Model, dtype: Dtype) -> (Vec<f64>, Vec<f32>) {
    let vocab = u32::try_from(VOCAB).unwrap();
    let tokens: Vec<u32> = (0..40).map(|t| (t * 7 + t / 5) % vocab).collect();
    let segments = Segments::new(vec![0, 12, 25, 40], vec![None, Some(0), Some(0)]).unwrap();
    let positions: Vec<u32> = (8..39).collect();
    let targets: Vec<u32> = positions.iter().map(|position| (position * 3 + 1) % vocab).collect();
    let batch = SequenceBatch {
        tokens: &tokens,
        segments: &segments,
        row_positions: &positions,
        row_targets: &targets,
    };
    let mut network = Network::new(&model.config, sepo_model::Activations::Kept).with_dtype(dtype);
    let logps = network.forward(&model.parameters, &batch).unwrap();
    let mut gradient = vec![0.0; model.parameters.len()];
    let slopes: Vec<f64> = (0..positions.len()).map(|row| if row % 2 == 0 { 1.0 } else { -0.5 }).collect();
    network.backward(&model.parameters, &slopes, &mut gradient).unwrap();
    (logps, gradient)
}

#[test]
fn bf16_is_near_f32_and_not_the_same() {
    for (name, keys) in CONFIGS {
        let model = model(keys, 4);
        let ((exact, exact_gradient), (rounded, rounded_gradient)) =
            (run(&model, Dtype::F32), run(&model, Dtype::Bf16));
        let worst = exact.iter().zip(&rounded).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst > 0.0, "{name}: nothing was rounded");
        let largest = exact.iter().map(|logp| logp.abs()).fold(0.0, f64::max);
        assert!(
            worst < 12.0 * ROUNDING * largest,
            "{name}: a log-prob of at most {largest} moved by {worst}"
        );
        let wide = |gradient: Vec<f32>| gradient.into_iter().map(f64::from);
        let off = relative_l2(wide(rounded_gradient), wide(exact_gradient));
        assert!(off < 25.0 * ROUNDING, "{name}: the gradient is off by {off} of its norm");
        println!("{name}: log-probs within {worst:.1e}, gradient within {off:.1e}");
    }
}

#[test]
fn bf16_gives_the_same_bits_twice() {
    for (name, keys) in CONFIGS {
        let model = model(keys, 4);
        assert!(run(&model, Dtype::Bf16) == run(&model, Dtype::Bf16), "{name}");
    }
}
