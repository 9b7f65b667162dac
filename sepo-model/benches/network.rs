//! Claim: a prompt that both responses share, and log-probs of the selected tokens only, save the work that they leave out
//!
//! One forward and backward pass over eight pairs. Baseline: every response as a sequence of its own, all rows.
//! Throughput counts the tokens of the pairs, the same for all, so that elements per second compare.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sepo_kernels::Segments;
use sepo_model::{Activations, Model, ModelConfig, Network, SequenceBatch};

const N_PAIRS: u32 = 8;
const N_PROMPT: u32 = 96;
const N_RESPONSE: u32 = 64;

/// TinyLlama's vocabulary over a network that is much narrower.
fn small_llama() -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "llama", "vocab_size": 32000, "hidden_size": 128, "intermediate_size": 344,
            "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}"#,
    );
    Model::random(config.unwrap(), 1).unwrap()
}

fn ids(n: u32, salt: u32) -> Vec<u32> {
    (0..n).map(|t| (t * 7919 + salt * 104_729) % 32_000).collect()
}

/// A batch under construction.
#[derive(Default)]
struct Layout {
    tokens: Vec<u32>,
    offsets: Vec<usize>,
    parents: Vec<Option<usize>>,
    positions: Vec<u32>,
    targets: Vec<u32>,
}

impl Layout {
    fn push_segment(&mut self, ids: &[u32], parent: Option<usize>) -> u32 {
        let start = u32::try_from(self.tokens.len()).unwrap();
        self.offsets.push(self.tokens.len());
        self.parents.push(parent);
        self.tokens.extend_from_slice(ids);
        start
    }

    /// Rows of the response tokens that `keep` takes: token 0 is predicted at `before`, token `t` at `start + t - 1`.
    fn push_rows(&mut self, response: &[u32], before: u32, start: u32, keep: impl Fn(u32) -> bool) {
        for (token, id) in (0..).zip(response).filter(|(token, _)| keep(*token)) {
            self.positions.push(if token == 0 { before } else { start + token - 1 });
            self.targets.push(*id);
        }
    }

    /// Both responses behind one prompt.
    fn packed(keep: fn(u32) -> bool) -> Self {
        let mut layout = Self::default();
        for pair in 0..N_PAIRS {
            let start = layout.push_segment(&ids(N_PROMPT, pair), None);
            let prompt = layout.parents.len() - 1;
            for side in 1..3 {
                let response = ids(N_RESPONSE, pair + 100 * side);
                let own = layout.push_segment(&response[..response.len() - 1], Some(prompt));
                layout.push_rows(&response, start + N_PROMPT - 1, own, keep);
            }
        }
        layout
    }

    /// Every response behind a prompt of its own.
    fn unpacked() -> Self {
        let mut layout = Self::default();
        for pair in 0..N_PAIRS {
            for side in 1..3 {
                let response = ids(N_RESPONSE, pair + 100 * side);
                let sequence = [&ids(N_PROMPT, pair)[..], &response].concat();
                let start = layout.push_segment(&sequence, None);
                layout.push_rows(&response, start + N_PROMPT - 1, start + N_PROMPT, |_| true);
            }
        }
        layout
    }

    fn segments(&self) -> Segments {
        let offsets = self.offsets.iter().copied().chain([self.tokens.len()]).collect();
        Segments::new(offsets, self.parents.clone()).unwrap()
    }
}

fn train_pass(c: &mut Criterion) {
    let model = small_llama();
    let all = |_| true;
    let selected = |token| token * 7 % 10 < 3;
    let layouts = [
        ("unpacked/all-rows", Layout::unpacked(), Activations::Kept),
        ("shared-prompt/all-rows", Layout::packed(all), Activations::Kept),
        ("shared-prompt/selected-rows", Layout::packed(selected), Activations::Kept),
        ("shared-prompt/selected-rows/recomputed", Layout::packed(selected), Activations::Recomputed),
    ];
    let mut group = c.benchmark_group("forward_backward/llama-4x128-v32000");
    group.sample_size(10).throughput(Throughput::Elements(u64::from(N_PAIRS * (N_PROMPT + 2 * N_RESPONSE))));
    let mut plain: Vec<f64> = Vec::new();
    for (name, layout, activations) in &layouts {
        let segments = layout.segments();
        let batch = SequenceBatch {
            tokens: &layout.tokens,
            segments: &segments,
            row_positions: &layout.positions,
            row_targets: &layout.targets,
        };
        let mut network = Network::new(&model.config, *activations);
        let logps = network.forward(&model.parameters, &batch).unwrap();
        if plain.is_empty() {
            plain.clone_from(&logps);
        }
        // Rows stand in the same order everywhere; selected ones are a part of all.
        let n_response = N_RESPONSE as usize;
        let takes =
            |row: &usize| logps.len() == plain.len() || selected(u32::try_from(row % n_response).unwrap());
        let expected: Vec<f64> = (0..plain.len()).filter(takes).map(|row| plain[row]).collect();
        assert_eq!(logps.len(), expected.len());
        assert!(logps.iter().zip(&expected).all(|(ours, plain)| (ours - plain).abs() < 1e-4), "{name}");

        let slopes = vec![1.0; logps.len()];
        let mut gradient = vec![0.0; model.parameters.len()];
        group.bench_function(BenchmarkId::new(*name, logps.len()), |b| {
            b.iter(|| {
                network.forward(&model.parameters, black_box(&batch)).unwrap();
                network.backward(&model.parameters, &slopes, &mut gradient).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, train_pass);
criterion_main!(benches);
