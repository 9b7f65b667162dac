//! Claim: on a GPU the head needs a tenth of the memory of all logits and two thirds of their time, attention over segments is
//! about as fast as flash attention and faster where responses share a prompt, and selection is bound by reading the scores
//!
//! `benches/peers/cuda.py` runs the same shapes in PyTorch, to be run in the same session on the same GPU. Nothing
//! is measured without a GPU; with `--test` small shapes then run once on the CPU that stands in for one in the tests.

#![expect(clippy::cast_possible_truncation, reason = "sizes are small")]
#![expect(clippy::print_stdout, reason = "what is skipped is said, and what memory the head takes")]

#[path = "../tests/cuda_on_cpu/build.rs"]
mod build;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/cuda_on_cpu/machine.rs"]
mod machine;
#[path = "../tests/cuda_on_cpu/process.rs"]
mod process;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use machine::{Machine, Memory, machines};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_kernels::cuda::{
    self, AdamWState, AttentionGrads, AttentionInput, AttentionOutput, AttentionPlan, Bf16, HeadBufferLens,
    HeadBuffers, HeadGrads, HeadInput, HeadPlan, HeadTiling, TopkPlan,
};
use sepo_kernels::{
    AdamWStep, AttentionLayout, AttentionShape, Extreme, HeadShape, LinearShape, Rows, Segments, Write,
};
use std::time::{Duration, Instant};

/// What runs: of the size of real models, or small enough for a CPU
struct Shapes {
    /// rows, columns and terms of a product
    product: usize,
    head: HeadShape,
    heads: [AttentionShape; 2],
    /// sequences, and tokens of each
    sequences: [usize; 2],
    /// pairs; tokens of each prompt and of each response
    pairs: [usize; 3],
    /// responses, and tokens of each at most
    responses: [usize; 2],
    weights: usize,
}

const fn heads(n_heads: usize, n_kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape { n_heads, n_kv_heads, head_dim, window: None }
}

const REAL: Shapes = Shapes {
    product: 8192,
    head: HeadShape { n_hidden: 16_384, d_model: 2048, vocab: 128_256 },
    heads: [heads(32, 8, 64), heads(32, 8, 128)],
    sequences: [8, 2048],
    pairs: [8, 1024, 512],
    responses: [100_000, 4096],
    weights: 1 << 28,
};

const SMALL: Shapes = Shapes {
    product: 64,
    head: HeadShape { n_hidden: 13, d_model: 16, vocab: 100 },
    heads: [heads(4, 2, 64), heads(2, 1, 128)],
    sequences: [2, 20],
    pairs: [2, 9, 5],
    responses: [40, 60],
    weights: 1000,
};

/// A machine, and what waits for all that it was asked for
struct Bench {
    on: Machine,
    fence: Memory<f32>,
    shapes: Shapes,
}

impl Bench {
    fn values(&self, seed: u64, n: usize, size: f32) -> Memory<Bf16> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut value = || Bf16::from_f32(size * (2.0 * rng.random::<f32>() - 1.0));
        self.on.memory(&(0..n).map(|_| value()).collect::<Vec<_>>())
    }

    /// Waits once, behind the last run
    fn time(&self, n: u64, mut run: impl FnMut()) -> Duration {
        self.fence.read();
        let start = Instant::now();
        (0..n).for_each(|_| run());
        self.fence.read();
        start.elapsed()
    }
}

fn bench() -> Option<Bench> {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let mut machines = machines();
    let shapes = match machines.last() {
        Some(Machine::Gpu(_)) => REAL,
        Some(Machine::Cpu(_)) if is_test => SMALL,
        _ => return None,
    };
    let on = machines.pop()?;
    Some(Bench { fence: on.memory(&[0.0]), on, shapes })
}

/// The rate that utilisation is measured by
fn product(c: &mut Criterion, b: &Bench) {
    let n = b.shapes.product;
    let (x, weight) = (b.values(1, n * n, 1.0), b.values(2, n * n, 1.0));
    let mut y = b.on.memory(&vec![Bf16::default(); n * n]);
    let shape = LinearShape { n_rows: n, d_in: n, d_out: n };
    let mut group = c.benchmark_group("product/bf16");
    group.throughput(Throughput::Elements(2 * (n as u64).pow(3))); // operations
    group.bench_function(n.to_string(), |bencher| {
        bencher.iter_custom(|times| {
            b.time(times, || {
                cuda::linear(&b.on, x.slice(), weight.slice(), y.slice_mut(), shape, Write::Overwrite)
                    .expect("a product");
            })
        });
    });
}

/// What the head works in
struct Work {
    packed: Memory<Bf16>,
    logits: Memory<f32>,
    dlogits: Memory<Bf16>,
    dpacked: Memory<f32>,
    max: Memory<f32>,
    sum: Memory<f64>,
}

impl Work {
    fn new(on: &Machine, lens: HeadBufferLens) -> Self {
        let HeadBufferLens { packed, logits, chunk } = lens;
        println!("head: {} bytes beside inputs and gradients", 6 * (packed + logits) + 12 * chunk);
        Self {
            packed: on.memory(&vec![Bf16::default(); packed]),
            logits: on.memory(&vec![0.0; logits]),
            dlogits: on.memory(&vec![Bf16::default(); logits]),
            dpacked: on.memory(&vec![0.0; packed]),
            max: on.memory(&vec![0.0; chunk]),
            sum: on.memory(&vec![0.0; chunk]),
        }
    }

    fn lend(&mut self) -> HeadBuffers<'_, Bf16> {
        HeadBuffers {
            packed: self.packed.slice_mut(),
            logits: self.logits.slice_mut(),
            dlogits: self.dlogits.slice_mut(),
            dpacked: self.dpacked.slice_mut(),
            max: self.max.slice_mut(),
            sum: self.sum.slice_mut(),
        }
    }
}

fn head(c: &mut Criterion, b: &Bench) {
    let shape @ HeadShape { n_hidden, d_model, vocab } = b.shapes.head;
    let (hidden, lm_head) = (b.values(1, n_hidden * d_model, 1.0), b.values(2, vocab * d_model, 0.05));
    let word = |n: usize| u32::try_from(n).expect("small");
    let hidden_rows = (0..n_hidden).map(word).collect();
    let targets = (0..n_hidden).map(|row| word(row * 7919 % vocab)).collect();
    let rows = Rows::new(hidden_rows, targets, n_hidden, vocab).expect("in range");
    let plan = b.on.place(HeadPlan::new(&rows, |_| true));
    let mut work = Work::new(&b.on, HeadBufferLens::of(plan.plan(), shape, HeadTiling::default()));
    let (mut logps, mut lse) = (b.on.memory(&vec![0.0; n_hidden]), b.on.memory(&vec![0.0; n_hidden]));
    let dlogps = b.on.memory(&vec![1e-3; n_hidden]);
    let mut dhidden = b.on.memory(&vec![Bf16::default(); n_hidden * d_model]);
    let mut dlm_head = b.on.memory(&vec![0.0; vocab * d_model]);
    let input =
        HeadInput { hidden: hidden.slice(), lm_head: lm_head.slice(), shape, tiling: HeadTiling::default() };
    let mut forward = |work: &mut Work| {
        let (logps, lse) = (logps.slice_mut(), lse.slice_mut());
        cuda::gather_logps(&b.on, input, plan.view(), work.lend(), logps, lse).expect("launches");
    };
    let mut group = c.benchmark_group("head");
    group.sample_size(10).throughput(Throughput::Elements(n_hidden as u64));
    group.bench_function("forward", |bencher| {
        bencher.iter_custom(|times| b.time(times, || forward(&mut work)));
    });
    forward(&mut work);
    let made = lse.read();
    assert!(made.iter().all(|lse| (lse - (vocab as f64).ln()).abs() < 10.0), "log-sum-exps of small logits");
    group.bench_function("backward", |bencher| {
        bencher.iter_custom(|times| {
            b.time(times, || {
                let grads = HeadGrads { dhidden: dhidden.slice_mut(), dlm_head: dlm_head.slice_mut() };
                let given = (lse.slice(), dlogps.slice());
                cuda::gather_logps_backward(&b.on, input, plan.view(), work.lend(), given, grads)
                    .expect("launches");
            })
        });
    });
}

fn attention(c: &mut Criterion, b: &Bench) {
    let [n, length] = b.shapes.sequences;
    let whole = Segments::new((0..=n).map(|i| i * length).collect(), vec![None; n]).expect("a layout");
    let [n_pairs, prompt, response] = b.shapes.pairs;
    let (mut offsets, mut parents) = (vec![0], Vec::new());
    for pair in 0..n_pairs {
        for (length, parent) in [(prompt, None), (response, Some(3 * pair)), (response, Some(3 * pair))] {
            offsets.push(offsets[offsets.len() - 1] + length);
            parents.push(parent);
        }
    }
    let shared = Segments::new(offsets, parents).expect("a layout");
    for shape in b.shapes.heads {
        for (name, segments) in [("sequences", &whole), ("pairs", &shared)] {
            attention_over(c, b, &format!("attention/{name}/{}", shape.head_dim), segments, shape);
        }
    }
}

fn attention_over(c: &mut Criterion, b: &Bench, name: &str, segments: &Segments, shape: AttentionShape) {
    let n = segments.n_tokens();
    let (n_q, n_kv) = (n * shape.n_heads * shape.head_dim, n * shape.n_kv_heads * shape.head_dim);
    let [q, dout] = [1, 2].map(|seed| b.values(seed, n_q, 1.0));
    let [k, v] = [3, 4].map(|seed| b.values(seed, n_kv, 1.0));
    let plan = b.on.place(AttentionPlan::new(AttentionLayout::all(segments), None));
    let [mut out, mut dq] = [(); 2].map(|()| b.on.memory(&vec![Bf16::default(); n_q]));
    let [mut dk, mut dv] = [(); 2].map(|()| b.on.memory(&vec![Bf16::default(); n_kv]));
    let [mut lse, mut delta] = [(); 2].map(|()| b.on.memory(&vec![0.0_f32; n * shape.n_heads]));
    let input = AttentionInput { q: q.slice(), k: k.slice(), v: v.slice(), shape };
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function("forward", |bencher| {
        bencher.iter_custom(|times| {
            b.time(times, || {
                cuda::attention(&b.on, input, plan.view(), out.slice_mut(), lse.slice_mut())
                    .expect("a launch");
            })
        });
    });
    cuda::attention(&b.on, input, plan.view(), out.slice_mut(), lse.slice_mut()).expect("a launch");
    let largest = out.read().into_iter().fold(0.0_f32, |most, x| most.max(x.to_f32().abs()));
    assert!(largest > 0.0 && largest <= 1.0, "means of values up to 1");
    group.bench_function("backward", |bencher| {
        bencher.iter_custom(|times| {
            b.time(times, || {
                let output = AttentionOutput { out: out.slice(), lse: lse.slice(), dout: dout.slice() };
                let grads = AttentionGrads {
                    dq: dq.slice_mut(),
                    dk: dk.slice_mut(),
                    dv: dv.slice_mut(),
                    delta: delta.slice_mut(),
                };
                cuda::attention_backward(&b.on, input, plan.view(), output, grads).expect("launches");
            })
        });
    });
}

fn topk(c: &mut Criterion, b: &Bench) {
    let [n, longest] = b.shapes.responses;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let lengths: Vec<usize> = (0..n).map(|_| rng.random_range(1..=longest)).collect();
    let ends = lengths.iter().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    let offsets: Vec<usize> = std::iter::once(0).chain(ends).collect();
    let counts: Vec<usize> = lengths.iter().map(|length| (3 * length).div_ceil(10)).collect();
    let n_scores = offsets[n];
    let scores: Vec<f32> = (0..n_scores).map(|_| rng.random::<f32>() - 0.5).collect();
    let at_scores = b.on.memory(&scores);
    let plan = b.on.place(TopkPlan::new(&offsets, &counts).expect("counts within lengths"));
    let mut selected = b.on.memory(&vec![0_u32; plan.plan().n_selected()]);
    let mut first_nan = b.on.memory(&[u32::MAX]);
    let mut group = c.benchmark_group("topk");
    group.sample_size(10).throughput(Throughput::Elements(n_scores as u64));
    group.bench_function(n.to_string(), |bencher| {
        bencher.iter_custom(|times| {
            b.time(times, || {
                let (to, nan) = (selected.slice_mut(), first_nan.slice_mut());
                cuda::segment_topk(&b.on, plan.view(), at_scores.slice(), Extreme::Highest, to, nan)
                    .expect("a launch");
            })
        });
    });
    let first = &offsets[..2];
    let expected = sepo_kernels::segment_topk(&scores[..first[1]], first, &counts[..1], Extreme::Highest)
        .expect("no not-a-number values");
    let (to, nan) = (selected.slice_mut(), first_nan.slice_mut());
    cuda::segment_topk(&b.on, plan.view(), at_scores.slice(), Extreme::Highest, to, nan).expect("a launch");
    assert_eq!(selected.read()[..expected.len()], expected);
}

fn adamw(c: &mut Criterion, b: &Bench) {
    let n = b.shapes.weights;
    let [mut params, grads, mut m, mut v] = [(); 4].map(|()| b.on.memory(&vec![0.5_f32; n]));
    let mut copies = b.on.memory(&vec![Bf16::default(); n]);
    let factor = b.on.memory(&[1.0_f32]);
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    let step = AdamWStep {
        learning_rate: 1e-6,
        beta1,
        beta2,
        eps,
        weight_decay: 0.0,
        gradient_factor: 1.0,
        step: 1,
    };
    let mut group = c.benchmark_group("adamw");
    group.sample_size(10).throughput(Throughput::Bytes(30 * n as u64));
    group.bench_function(n.to_string(), |bencher| {
        bencher.iter_custom(|times| {
            b.time(times, || {
                let state = AdamWState {
                    params: params.slice_mut(),
                    copies: Some(copies.slice_mut()),
                    m: m.slice_mut(),
                    v: v.slice_mut(),
                };
                cuda::adamw(&b.on, state, grads.slice(), factor.slice(), &step).expect("a launch");
            })
        });
    });
}

fn all(c: &mut Criterion) {
    let Some(bench) = bench() else {
        println!("skipped: there is no GPU");
        return;
    };
    for run in [product, head, attention, topk, adamw] {
        run(c, &bench);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
