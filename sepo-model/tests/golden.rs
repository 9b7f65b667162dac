//! Log-probs, a DPO loss and every gradient against what `transformers` computed in float64.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

mod support;

use sepo_kernels::Segments;
use sepo_model::{Activations, Model, Network, SequenceBatch};
use serde::Deserialize;
use std::collections::BTreeMap;
use support::{pass, relative_l2, sequence_rows, shared};

const TINY: [&str; 7] = [
    "tiny-gpt-neox",
    "tiny-gpt-neox-seq",
    "tiny-llama-gqa",
    "tiny-llama-tied-rope3",
    "tiny-mistral",
    "tiny-qwen2",
    "tiny-qwen3",
];

#[derive(Deserialize)]
struct Gradient {
    l2: f64,
    sum: f64,
    first: Vec<f64>,
    full: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct Golden {
    prompt: Vec<u32>,
    chosen: Vec<u32>,
    rejected: Vec<u32>,
    logps_chosen: Vec<f64>,
    logps_rejected: Vec<f64>,
    ref_logps_chosen: Vec<f64>,
    ref_logps_rejected: Vec<f64>,
    dpo_beta: f64,
    dpo_loss: f64,
    dpo_grads: BTreeMap<String, Gradient>,
}

fn load(name: &str) -> Option<(Model, Model, Golden)> {
    let dir = shared("models")?;
    let golden = std::fs::read_to_string(dir.join(name).join("golden.json")).unwrap();
    let reference = Model::load(&dir.join(format!("{name}-ref"))).unwrap();
    Some((Model::load(&dir.join(name)).unwrap(), reference, serde_json::from_str(&golden).unwrap()))
}

fn logps(model: &Model, ids: &[u32]) -> Vec<f64> {
    let (segments, positions, targets) = sequence_rows(ids);
    let batch =
        SequenceBatch { tokens: ids, segments: &segments, row_positions: &positions, row_targets: &targets };
    Network::new(&model.config, Activations::Kept).logps(&model.parameters, &batch).unwrap()
}

fn assert_close(name: &str, ours: &[f64], golden: &[f64], bound: f64) -> f64 {
    assert_eq!(ours.len(), golden.len());
    let worst = ours.iter().zip(golden).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < bound, "{name}: off by {worst}");
    worst
}

#[test]
fn logps_of_every_tiny_model_are_the_golden_ones() {
    for name in TINY {
        let Some((model, reference, golden)) = load(name) else { return };
        let mut worst = 0.0f64;
        for (response, policy, frozen) in [
            (&golden.chosen, &golden.logps_chosen, &golden.ref_logps_chosen),
            (&golden.rejected, &golden.logps_rejected, &golden.ref_logps_rejected),
        ] {
            let ids = [&golden.prompt[..], response].concat();
            worst = worst.max(assert_close(name, &logps(&model, &ids), policy, 2e-5));
            worst = worst.max(assert_close(name, &logps(&reference, &ids), frozen, 2e-5));
        }
        println!("{name}: largest difference of a log-prob {worst:.2e}");
    }
}

#[test]
fn dpo_loss_and_gradients_of_every_tiny_model_are_the_golden_ones() {
    for name in TINY {
        let Some((model, _, golden)) = load(name) else { return };
        for activations in [Activations::Kept, Activations::Recomputed] {
            let (loss, gradient) = dpo(&model, &golden, activations);
            assert!((loss - golden.dpo_loss).abs() < 1e-5, "{name}: loss {loss}, golden {}", golden.dpo_loss);
            let worst = compare_gradients(name, &model, &gradient, &golden);
            println!(
                "{name} {activations:?}: loss off by {:.1e}, gradients by {worst:.1e}",
                loss - golden.dpo_loss
            );
        }
    }
}

/// DPO on one packed batch: the prompt once, both responses as its children.
fn dpo(model: &Model, golden: &Golden, activations: Activations) -> (f64, Vec<f32>) {
    let (p, c, r) = (golden.prompt.len(), golden.chosen.len(), golden.rejected.len());
    let tokens = [&golden.prompt[..], &golden.chosen, &golden.rejected].concat();
    let segments = Segments::new(vec![0, p, p + c, p + c + r], vec![None, Some(0), Some(0)]).unwrap();
    let last = u32::try_from(p - 1).unwrap();
    let side = |start: usize, n: usize| {
        std::iter::once(last).chain((start..start + n - 1).map(|t| u32::try_from(t).unwrap()))
    };
    let row_positions: Vec<u32> = side(p, c).chain(side(p + c, r)).collect();
    let row_targets = [&golden.chosen[..], &golden.rejected].concat();
    let batch = SequenceBatch {
        tokens: &tokens,
        segments: &segments,
        row_positions: &row_positions,
        row_targets: &row_targets,
    };
    let responses = |all: &[f64]| all[p - 1..].iter().sum::<f64>();
    let reference = responses(&golden.ref_logps_chosen) - responses(&golden.ref_logps_rejected);
    let mut loss = 0.0;
    let slope = |logps: &[f64]| {
        let margin = logps[..c].iter().sum::<f64>() - logps[c..].iter().sum::<f64>() - reference;
        let z = golden.dpo_beta * margin;
        ((-z).exp().ln_1p(), -golden.dpo_beta / (1.0 + z.exp()))
    };
    let (_, gradient) = pass(model, activations, &batch, |logps| {
        let (_, d) = slope(logps);
        (0..c + r).map(|row| if row < c { d } else { -d }).collect()
    });
    let mut network = Network::new(&model.config, activations);
    loss += slope(&network.logps(&model.parameters, &batch).unwrap()).0;
    (loss, gradient)
}

fn compare_gradients(name: &str, model: &Model, gradient: &[f32], golden: &Golden) -> f64 {
    assert_eq!(model.parameters.layout().len(), golden.dpo_grads.len(), "{name}");
    let mut worst = 0.0f64;
    for info in model.parameters.layout() {
        // In memory `transformers` 5 calls every output head `lm_head`; in files GPT-NeoX's keeps its old name.
        let key = if info.name == "embed_out.weight" { "lm_head.weight" } else { &info.name };
        let golden = &golden.dpo_grads[key];
        let ours: Vec<f64> = gradient[info.range.clone()].iter().map(|g| f64::from(*g)).collect();
        let l2 = ours.iter().map(|g| g * g).sum::<f64>().sqrt();
        // A key's bias shifts all logits of a query alike: its true gradient is zero, and only rounding is left.
        let scale = golden.l2.max(1e-3);
        let n = ours.len() as f64;
        let mut off = ((l2 - golden.l2) / scale).abs();
        off = off.max((ours.iter().sum::<f64>() - golden.sum).abs() / (scale * n.sqrt()));
        for (ours, golden) in ours.iter().zip(&golden.first) {
            off = off.max((ours - golden).abs() / scale);
        }
        if let Some(full) = &golden.full {
            assert_eq!(full.len(), ours.len());
            off = off.max(relative_l2(ours.iter().copied(), full.iter().copied()) * (golden.l2 / scale));
        }
        assert!(off < 1e-4, "{name}: {} is off by {off}", info.name);
        worst = worst.max(off);
    }
    worst
}

#[test]
fn a_trained_llama_gives_its_golden_logps() {
    #[derive(Deserialize)]
    struct Text {
        ids: Vec<u32>,
        logprobs_f64_numpy: Vec<f64>,
    }
    let Some(dir) = shared("models/stories260K") else { return };
    let model = Model::load(&dir).unwrap();
    let golden = std::fs::read_to_string(dir.join("golden_logprobs.json")).unwrap();
    let texts: Vec<Text> = serde_json::from_str(&golden).unwrap();
    for text in texts {
        let worst = assert_close("stories260K", &logps(&model, &text.ids), &text.logprobs_f64_numpy, 1e-4);
        println!("stories260K: largest difference {worst:.2e}");
    }
}
