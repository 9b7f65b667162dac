//! Claim: a linear map and both its gradients run at the rate of the bare `gemm` crate, and faster with bf16 operands
//!
//! Throughput counts floating-point operations: an element is one, so `Gelem/s` are GFLOP/s.

#[path = "../tests/naive/mod.rs"]
mod naive;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use naive::{assert_close, values, wide};
use sepo_kernels::{LinearShape, Precision, Write, linear, linear_backward_input, linear_backward_weight};
use std::hint::black_box;

/// `y = x Wᵀ` by one call of gemm
#[expect(unsafe_code, reason = "the baseline is the crate's own entry point")]
fn raw(x: &[f32], weight: &[f32], y: &mut [f32], shape: LinearShape) {
    let LinearShape { n_rows, d_in, d_out } = shape;
    assert!(x.len() == n_rows * d_in && weight.len() == d_out * d_in && y.len() == n_rows * d_out);
    let stride = |stride: usize| isize::try_from(stride).expect("small");
    let (row_in, row_out) = (stride(d_in), stride(d_out));
    let (y, x, weight) = (y.as_mut_ptr(), x.as_ptr(), weight.as_ptr());
    let parallelism = gemm::Parallelism::Rayon(0);
    // SAFETY: the three matrices have the asserted lengths, and `y` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            n_rows,
            d_out,
            d_in,
            y,
            1,
            row_out,
            false,
            x,
            1,
            row_in,
            weight,
            row_in,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

fn bench(criterion: &mut Criterion) {
    for (name, n_rows, d_in, d_out) in
        [("square", 1024, 512, 512), ("mlp_up", 1024, 512, 2048), ("one_row", 1, 512, 2048)]
    {
        let shape = LinearShape { n_rows, d_in, d_out };
        let (x, weight) = (values(1, n_rows * d_in, 1.0), values(2, d_out * d_in, 1.0));
        let dy = values(3, n_rows * d_out, 1.0);
        let (mut y, mut dx, mut dweight) =
            (vec![0.0; n_rows * d_out], vec![0.0; x.len()], vec![0.0; weight.len()]);
        raw(&x, &weight, &mut y, shape);
        let expected = wide(&y);
        linear(&x, &weight, &mut y, shape, Write::Overwrite, Precision::F32);
        assert_close(&y, &expected, 1e-6);

        let mut group = criterion.benchmark_group(format!("linear/{name}_{d_in}x{d_out}"));
        group.throughput(Throughput::Elements(2 * (n_rows * d_in * d_out) as u64));
        group.bench_function(BenchmarkId::new("raw_gemm", n_rows), |b| {
            b.iter(|| raw(black_box(&x), &weight, &mut y, shape));
        });
        for (suffix, precision) in [("", Precision::F32), ("_bf16", Precision::Bf16)] {
            let id = |op: &str| BenchmarkId::new(format!("{op}{suffix}"), n_rows);
            group.bench_function(id("forward"), |b| {
                b.iter(|| linear(black_box(&x), &weight, &mut y, shape, Write::Overwrite, precision));
            });
            group.bench_function(id("backward_input"), |b| {
                b.iter(|| {
                    linear_backward_input(
                        black_box(&dy),
                        &weight,
                        &mut dx,
                        shape,
                        Write::Overwrite,
                        precision,
                    );
                });
            });
            group.bench_function(id("backward_weight"), |b| {
                b.iter(|| linear_backward_weight(black_box(&x), &dy, &mut dweight, shape, precision));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
