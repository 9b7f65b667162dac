//! Claim: what passes over memory without a product runs at the rate of memory, far from the plain loop where that has
//! an `exp`
//!
//! Throughput counts the bytes that a pass must read and write. `memory/…` moves bytes and does nothing else: the limit.
//! Baseline: the plain formula with the standard library's functions, in tasks on all threads.

#[path = "../tests/naive/mod.rs"]
mod naive;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use naive::{assert_close, values, wide};
use rayon::prelude::*;
use sepo_kernels::{
    AdamWStep, Gelu, LayerNormForward, LayerNormGrads, RotaryConfig, RotaryScaling, RotaryTable, Write,
    adamw, embedding, embedding_backward, gelu, gelu_backward, layer_norm, layer_norm_backward, rms_norm,
    rms_norm_backward, rotary, sum_of_squares, swiglu, swiglu_backward,
};
use std::hint::black_box;
use std::time::Duration;

/// Rows and width of activations: pythia-70m's, 67 MB each, twice what the caches hold
const ROWS: usize = 32_768;
const WIDTH: usize = 512;
const N: usize = ROWS * WIDTH;
const VOCAB: usize = 50_304;
/// Values of one task of a baseline
const TASK: usize = 1 << 14;

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// A group whose passes move `n_floats` values
fn group<'a>(criterion: &'a mut Criterion, name: &str, n_floats: usize) -> Group<'a> {
    let mut group = criterion.benchmark_group(format!("passes/{name}"));
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Bytes(4 * n_floats as u64));
    group
}

fn run(group: &mut Group<'_>, name: &str, mut pass: impl FnMut()) {
    group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(&mut pass));
}

/// `y[i] = f(x[i])`, the plain way
fn map(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    let tasks = y.par_chunks_mut(TASK).zip(x.par_chunks(TASK));
    tasks.for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x)));
}

/// `y[i] = f(a[i], b[i])`, the plain way
fn map2(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    let tasks = y.par_chunks_mut(TASK).zip(a.par_chunks(TASK)).zip(b.par_chunks(TASK));
    tasks.for_each(|((y, a), b)| y.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = f(*a, *b)));
}

/// `y = f(x)` row by row, the plain way
fn map_rows(x: &[f32], y: &mut [f32], f: impl Fn(&[f32], &mut [f32]) + Sync) {
    y.par_chunks_mut(WIDTH).zip(x.par_chunks(WIDTH)).for_each(|(y, x)| f(x, y));
}

fn memory(criterion: &mut Criterion) {
    let x = values(1, N, 1.0);
    let mut y = vec![0.0; N];
    let mut read = group(criterion, "memory", N);
    run(&mut read, "read", || {
        let sum: f32 = x.par_chunks(TASK).map(|x| x.iter().fold(0.0, |max: f32, x| max.max(*x))).sum();
        black_box(sum);
    });
    read.finish();
    let mut copied = group(criterion, "memory", 2 * N);
    run(&mut copied, "copy", || {
        y.par_chunks_mut(TASK).zip(x.par_chunks(TASK)).for_each(|(y, x)| y.copy_from_slice(x));
    });
    copied.finish();
}

fn norms(criterion: &mut Criterion) {
    let (x, dy) = (values(1, N, 1.0), values(2, N, 1.0));
    let (weight, bias) = (values(3, WIDTH, 1.0), values(4, WIDTH, 1.0));
    let (mut y, mut dx) = (vec![0.0; N], vec![0.0; N]);
    let (mut mean, mut inverse) = (vec![0.0; ROWS], vec![0.0; ROWS]);
    let (mut dweight, mut dbias) = (vec![0.0; WIDTH], vec![0.0; WIDTH]);
    let plain_rms = |x: &[f32], y: &mut [f32]| {
        let inverse = 1.0 / (x.iter().map(|x| x * x).sum::<f32>() / WIDTH as f32 + 1e-5).sqrt();
        y.iter_mut().zip(x).zip(&weight).for_each(|((y, x), w)| *y = x * inverse * w);
    };
    let plain_layer = |x: &[f32], y: &mut [f32]| {
        let mean = x.iter().sum::<f32>() / WIDTH as f32;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / WIDTH as f32;
        let inverse = 1.0 / (variance + 1e-5).sqrt();
        let values = y.iter_mut().zip(x).zip(weight.iter().zip(&bias));
        values.for_each(|((y, x), (w, b))| *y = (x - mean) * inverse * w + b);
    };

    map_rows(&x, &mut dx, plain_rms);
    rms_norm(&x, &weight, 1e-5, &mut y, &mut inverse);
    assert_close(&y, &wide(&dx), 1e-5);
    let mut rms = group(criterion, "rms_norm", 2 * N);
    run(&mut rms, "forward_plain", || map_rows(black_box(&x), &mut y, plain_rms));
    run(&mut rms, "forward", || rms_norm(black_box(&x), &weight, 1e-5, &mut y, &mut inverse));
    rms.throughput(Throughput::Bytes(12 * N as u64));
    run(&mut rms, "backward", || {
        rms_norm_backward(&x, &weight, &inverse, &dy, &mut dx, &mut dweight, Write::Overwrite);
    });
    rms.finish();

    map_rows(&x, &mut dx, plain_layer);
    layer_norm(&x, &weight, &bias, 1e-5, &mut y, &mut mean, &mut inverse);
    assert_close(&y, &wide(&dx), 1e-5);
    let mut layer = group(criterion, "layer_norm", 2 * N);
    run(&mut layer, "forward_plain", || map_rows(black_box(&x), &mut y, plain_layer));
    run(&mut layer, "forward", || {
        layer_norm(black_box(&x), &weight, &bias, 1e-5, &mut y, &mut mean, &mut inverse);
    });
    layer.throughput(Throughput::Bytes(12 * N as u64));
    run(&mut layer, "backward", || {
        let forward = LayerNormForward { x: &x, weight: &weight, mean: &mean, inv_std: &inverse };
        let grads = LayerNormGrads { dx: &mut dx, dweight: &mut dweight, dbias: &mut dbias };
        layer_norm_backward(forward, &dy, grads, Write::Overwrite);
    });
    layer.finish();
}

fn activations(criterion: &mut Criterion) {
    let (gate, up, dy) = (values(1, N, 4.0), values(2, N, 1.0), values(3, N, 1.0));
    let (mut y, mut dx) = (vec![0.0; N], vec![0.0; N]);
    let plain_swiglu = |gate: f32, up: f32| gate / (1.0 + (-gate).exp()) * up;
    let plain_gelu = |x: f32| 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh());

    map2(&gate, &up, &mut dx, plain_swiglu);
    let rows = gate.chunks_exact(WIDTH).zip(up.chunks_exact(WIDTH));
    let gate_up: Vec<f32> = rows.flat_map(|(gate, up)| [gate, up].concat()).collect();
    let mut dgate_up = vec![0.0; 2 * N];
    swiglu(&gate_up, &mut y, WIDTH);
    assert_close(&y, &wide(&dx), 1e-6);
    let mut gated = group(criterion, "swiglu", 3 * N);
    run(&mut gated, "forward_plain", || map2(black_box(&gate), &up, &mut y, plain_swiglu));
    run(&mut gated, "forward", || swiglu(black_box(&gate_up), &mut y, WIDTH));
    gated.throughput(Throughput::Bytes(20 * N as u64));
    run(&mut gated, "backward", || swiglu_backward(black_box(&gate_up), &dy, &mut dgate_up, WIDTH));
    gated.finish();

    map(&gate, &mut dx, plain_gelu);
    gelu(&gate, &mut y, Gelu::Tanh);
    assert_close(&y, &wide(&dx), 1e-6);
    let mut plain = group(criterion, "gelu", 2 * N);
    run(&mut plain, "forward_plain", || map(black_box(&gate), &mut y, plain_gelu));
    for (name, kind) in [("tanh", Gelu::Tanh), ("exact", Gelu::Exact)] {
        plain.throughput(Throughput::Bytes(8 * N as u64));
        run(&mut plain, &format!("forward_{name}"), || gelu(black_box(&gate), &mut y, kind));
        plain.throughput(Throughput::Bytes(12 * N as u64));
        run(&mut plain, &format!("backward_{name}"), || gelu_backward(&gate, &dy, &mut dx, kind));
    }
    plain.finish();
}

fn tables(criterion: &mut Criterion) {
    let mut x = values(1, N, 1.0);
    let positions: Vec<u32> = (0..512).cycle().take(ROWS).collect();
    let frequencies: Vec<f32> = (0..32_u16).map(|i| 10_000_f32.powf(-f32::from(i) / 32.0)).collect();
    let table = RotaryTable::new(
        &RotaryConfig { rotary_dim: 64, theta: 10_000.0, scaling: RotaryScaling::None },
        512,
    );
    let mut turned = group(criterion, "rotary", 2 * N);
    run(&mut turned, "forward_plain", || {
        let rows = x.par_chunks_mut(WIDTH).zip(&positions);
        rows.for_each(|(x, position)| {
            for head in x.chunks_exact_mut(64) {
                let (low, high) = head.split_at_mut(32);
                for ((a, b), frequency) in low.iter_mut().zip(high).zip(&frequencies) {
                    let (sin, cos) = (*position as f32 * frequency).sin_cos();
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        });
    });
    run(&mut turned, "forward", || rotary(&mut x, &positions, &table, 8, 64));
    turned.finish();

    let ids: Vec<u32> = (0..ROWS).map(|i| u32::try_from(i * 7919 % VOCAB).expect("small")).collect();
    let mut weights = values(2, VOCAB * WIDTH, 1.0);
    let mut rows = group(criterion, "embedding", 2 * N);
    run(&mut rows, "forward_plain", || {
        let rows = x.chunks_exact_mut(WIDTH).zip(&ids);
        rows.for_each(|(row, id)| row.copy_from_slice(&weights[*id as usize * WIDTH..][..WIDTH]));
    });
    run(&mut rows, "forward", || embedding(&weights, &ids, WIDTH, &mut x));
    rows.throughput(Throughput::Bytes(12 * N as u64));
    run(&mut rows, "backward", || embedding_backward(&ids, &x, WIDTH, &mut weights));
    rows.finish();
}

fn optimizer(criterion: &mut Criterion) {
    let (mut weights, gradient) = (values(1, N, 1.0), values(2, N, 1.0));
    let (mut m, mut v) = (vec![0.0; N], vec![0.0; N]);
    let step = AdamWStep {
        learning_rate: 1e-6,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
        gradient_factor: 0.5,
        step: 3,
    };
    let mut update = group(criterion, "adamw", 7 * N);
    run(&mut update, "update_plain", || {
        // Pass by pass, as a library of tensor operations does it.
        map2(&gradient, &m.clone(), &mut m, |g, m| 0.9 * m + 0.1 * 0.5 * g);
        map2(&gradient, &v.clone(), &mut v, |g, v| 0.999 * v + 0.001 * 0.25 * g * g);
        let mut ratio = vec![0.0; N];
        map2(&m, &v, &mut ratio, |m, v| m / (v.sqrt() + 1e-8));
        map2(&ratio, &weights.clone(), &mut weights, |r, w| w * (1.0 - 1e-8) - 1e-6 * r);
    });
    run(&mut update, "update", || adamw(&mut weights, &gradient, &mut m, &mut v, &step));
    update.finish();
    let mut norm = group(criterion, "sum_of_squares", N);
    run(&mut norm, "plain", || {
        black_box(gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>());
    });
    run(&mut norm, "fast", || {
        black_box(sum_of_squares(&gradient));
    });
    norm.finish();
}

criterion_group!(benches, memory, norms, activations, tables, optimizer);
criterion_main!(benches);
