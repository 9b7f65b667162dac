//! Claim: each exact saving is worth what it leaves out: rows, shared prompt, last block, suffix
//!
//! One forward and backward pass over one pair at the shape of pythia-70m, 30 % of the response tokens selected, with all
//! savings, with each of them left out in turn, and with none. Two kinds of pairs: a short prompt with long responses (the
//! means of LLaMA-Factory's `dpo_en`), and a long prompt with short ones (those of HH). Throughput is in floating-point
//! operations.

#![expect(clippy::unwrap_used, reason = "a failure here ends the bench")]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sepo_kernels::Segments;
use sepo_model::{Activations, Model, ModelConfig, Network, SequenceBatch};

const VOCAB: u32 = 50_304;

fn pythia_70m() -> Model {
    let config = ModelConfig::from_json(
        r#"{"model_type": "gpt_neox", "vocab_size": 50304, "hidden_size": 512, "intermediate_size": 2048,
            "num_hidden_layers": 6, "num_attention_heads": 8, "max_position_embeddings": 2048, "rotary_pct": 0.25}"#,
    );
    Model::random(config.unwrap(), 1).unwrap()
}

/// Tokens of a prompt, a chosen and a rejected response.
#[derive(Clone, Copy)]
struct Lengths {
    prompt: u32,
    responses: [u32; 2],
}

/// Which savings a batch is built with.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Savings {
    /// Log-probs of selected tokens only.
    rows: bool,
    /// The prompt once for both responses.
    prompt: bool,
    /// The last block's outputs at needed positions only.
    last_block: bool,
    /// Nothing after the last selected token.
    suffix: bool,
}

const ALL: Savings = Savings { rows: true, prompt: true, last_block: true, suffix: true };

const CASES: [(&str, Savings); 6] = [
    ("all", ALL),
    ("without_rows", Savings { rows: false, ..ALL }),
    ("without_shared_prompt", Savings { prompt: false, ..ALL }),
    ("without_last_block", Savings { last_block: false, ..ALL }),
    ("without_suffix", Savings { suffix: false, ..ALL }),
    ("none", Savings { rows: false, prompt: false, last_block: false, suffix: false }),
];

/// A batch that owns its parts.
#[derive(Default)]
struct Layout {
    tokens: Vec<u32>,
    offsets: Vec<usize>,
    parents: Vec<Option<usize>>,
    positions: Vec<u32>,
    targets: Vec<u32>,
    /// Gradient of each row's log-prob. Of rows that are not selected, next to nothing, but not 0: those would be left out.
    slopes: Vec<f64>,
}

impl Layout {
    fn new(lengths: Lengths, savings: Savings) -> Self {
        let mut layout = Self { offsets: vec![0], ..Self::default() };
        let prompt = ids(lengths.prompt, 0);
        if savings.prompt {
            layout.push(&prompt, None);
        }
        for (side, n) in (1..).zip(lengths.responses) {
            let response = ids(n, side);
            let selected: Vec<usize> = (0..n as usize).filter(|t| t * 7919 % 1000 < 300).collect();
            let end =
                if savings.suffix { selected.last().map_or(0, |last| last + 1) } else { response.len() };
            let parent = if savings.prompt {
                Some(0)
            } else {
                layout.tokens.extend_from_slice(&prompt);
                None
            };
            let first = layout.tokens.len();
            layout.push(&response[..end - 1], parent);
            let before = if savings.prompt { lengths.prompt as usize } else { first };
            for (token, &target) in response[..end].iter().enumerate() {
                let is_selected = selected.contains(&token);
                if is_selected || !savings.rows {
                    let position = if token == 0 { before } else { first + token } - 1;
                    layout.positions.push(u32::try_from(position).unwrap());
                    layout.targets.push(target);
                    layout.slopes.push(if is_selected { 1.0 } else { 1e-12 });
                }
            }
        }
        layout
    }

    fn push(&mut self, tokens: &[u32], parent: Option<usize>) {
        self.tokens.extend_from_slice(tokens);
        self.offsets.push(self.tokens.len());
        self.parents.push(parent);
    }

    fn sum_of_selected(&self, logps: &[f64]) -> f64 {
        logps.iter().zip(&self.slopes).map(|(logp, slope)| logp * slope).sum()
    }
}

fn ids(n: u32, salt: u32) -> Vec<u32> {
    (0..n).map(|t| (t * 7919 + salt * 104_729) % VOCAB).collect()
}

fn levers(criterion: &mut Criterion) {
    let model = pythia_70m();
    let mut gradient = vec![0.0; model.parameters.len()];
    let pairs = [
        ("short_prompt", Lengths { prompt: 58, responses: [302, 277] }),
        ("long_prompt", Lengths { prompt: 95, responses: [35, 41] }),
    ];
    for (name, lengths) in pairs {
        let mut group = criterion.benchmark_group(format!("levers/pythia-70m/{name}"));
        group.sample_size(10).warm_up_time(Duration::from_millis(500));
        let mut expected = None;
        for (savings_name, savings) in CASES {
            let layout = Layout::new(lengths, savings);
            let segments = Segments::new(layout.offsets.clone(), layout.parents.clone()).unwrap();
            let batch = SequenceBatch {
                tokens: &layout.tokens,
                segments: &segments,
                row_positions: &layout.positions,
                row_targets: &layout.targets,
            };
            let network = Network::new(&model.config, Activations::Kept);
            let mut network = if savings.last_block { network } else { network.with_every_output() };
            let sum = layout.sum_of_selected(&network.logps(&model.parameters, &batch).unwrap());
            let expected = *expected.get_or_insert(sum);
            assert!(
                (sum - expected).abs() < 1e-3 * expected.abs(),
                "{savings_name}: {sum} is not {expected}"
            );
            let flops = network.flops();
            group.throughput(Throughput::Elements(flops.forward + flops.backward));
            group.bench_function(savings_name, |b| {
                b.iter(|| {
                    network.forward(&model.parameters, &batch).unwrap();
                    network.backward(&model.parameters, &layout.slopes, &mut gradient).unwrap();
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, levers);
criterion_main!(benches);
