//! The product against `f64` sums of rounded operands, and the fast instructions against the portable ones

use super::instructions::Instructions;
use super::pack::{Panels, bf16};
use super::tile::{MR, NR};
use super::{Call, MAX_COLS, MAX_DEPTH, MAX_ROWS, MIRI_SHARE, TASK_ROWS, matmul_bf16};
use crate::Write;
use crate::matmul::{Mat, Product, Threads};
use half::bf16 as HalfBf16;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How a matrix stands in its slice
#[derive(Clone, Copy, Debug)]
enum Order {
    Rows,
    Columns,
    Sparse,
}

/// A seeded matrix with a gap after each row or column
struct Matrix {
    data: Vec<f32>,
    n_rows: usize,
    n_cols: usize,
    order: Order,
    gap: usize,
}

impl Matrix {
    fn new(seed: u64, [n_rows, n_cols]: [usize; 2], order: Order, gap: usize) -> Self {
        Self { data: values(seed, 2 * (n_rows + gap) * (n_cols + gap)), n_rows, n_cols, order, gap }
    }

    fn mat(&self) -> Mat<'_> {
        match self.order {
            Order::Rows => Mat::rows(&self.data, self.n_cols + self.gap),
            Order::Columns => Mat::rows(&self.data, self.n_rows + self.gap).transposed(),
            Order::Sparse => {
                Mat { data: &self.data, row_stride: 2 * (self.n_cols + self.gap), col_stride: 2 }
            }
        }
    }

    fn rounded(&self, row: usize, col: usize) -> f64 {
        let mat = self.mat();
        f64::from(HalfBf16::from_f32(mat.data[row * mat.row_stride + col * mat.col_stride]))
    }
}

fn values(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| 2.0 * rng.random::<f32>() - 1.0).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn instructions() -> [Instructions; 2] {
    [Instructions::best(), Instructions::Portable]
}

/// Multiplies into a larger slice and asserts that the matrix is the sum and the gaps are untouched
fn check(a: &Matrix, b: &Matrix, scale: f32, write: Write, threads: Threads) {
    let (m, k, n) = (a.n_rows, a.n_cols, b.n_cols);
    let out_stride = n + b.gap;
    let before = values(77, m * out_stride + 1);
    for instructions in instructions() {
        let mut out = before.clone();
        let product = Product { m, n, k, scale };
        if instructions == Instructions::best() {
            matmul_bf16(a.mat(), b.mat(), &mut out, out_stride, product, write, threads);
        } else if m > 0 && n > 0 && k > 0 {
            Call { a: a.mat(), b: b.mat(), product, write, threads, instructions }.run(&mut out, out_stride);
        } else {
            continue;
        }
        for (i, (&out, &before)) in out.iter().zip(&before).enumerate() {
            let (row, col) = (i / out_stride.max(1), i % out_stride.max(1));
            if row >= m || col >= n {
                assert_eq!(out.to_bits(), before.to_bits(), "value {i} is none of the product");
                continue;
            }
            let kept = if write == Write::Add { f64::from(before) } else { 0.0 };
            let terms = (0..k).map(|k| f64::from(scale) * a.rounded(row, k) * b.rounded(k, col));
            let (sum, size) = terms.fold((kept, kept.abs()), |(sum, size), x| (sum + x, size + x.abs()));
            // Every addition rounds by half a unit of a partial sum.
            let bound = (k + 3) as f64 * size * f64::from(f32::EPSILON) / 2.0;
            assert!(
                (f64::from(out) - sum).abs() <= bound,
                "({row}, {col}) is {out}, not {sum}, by {instructions:?}"
            );
        }
    }
}

fn sizes(max: usize) -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), Just(1), Just(MR), Just(NR), Just(97), 0..=max]
        .prop_map(|size| if cfg!(miri) { size.min(NR + 3) } else { size })
}

fn orders() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Rows), Just(Order::Columns), Just(Order::Sparse)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 128 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_sums_of_rounded_operands(
        (m, n, k) in (sizes(120), sizes(120), sizes(150)),
        (a_order, b_order) in (orders(), orders()),
        (gap, seed) in (0_usize..3, 0_u64..1000),
        scale in prop_oneof![Just(1.0_f32), -2.0_f32..2.0],
        write in prop_oneof![Just(Write::Overwrite), Just(Write::Add)],
        threads in prop_oneof![Just(Threads::One), Just(Threads::Pool)],
    ) {
        let a = Matrix::new(seed, [m, k], a_order, gap);
        let b = Matrix::new(seed + 1, [k, n], b_order, gap);
        check(&a, &b, scale, write, threads);
    }

    #[test]
    fn packs_the_same_bits_with_any_instructions(
        start in 0_usize..40, n_lanes in 1_usize..400 / if cfg!(miri) { 8 } else { 1 }, from in 0_usize..4, n_terms in 1_usize..80,
        order in orders(), gap in 0_usize..3, seed in 0_u64..1000,
    ) {
        let mut matrix = Matrix::new(seed, [start + n_lanes, from + n_terms], order, gap);
        hostile(seed, &mut matrix.data);
        packs_the_same_bits::<MR>(matrix.mat(), start..start + n_lanes, from..from + n_terms);
        packs_the_same_bits::<NR>(matrix.mat(), start..start + n_lanes, from..from + n_terms);
    }
}

/// Replaces values by ones of random bits: denormals, infinities and not-a-number values among them
fn hostile(seed: u64, values: &mut [f32]) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for value in values {
        let bits = rng.random::<u32>();
        *value = f32::from_bits(match rng.random_range(0..4) {
            0 => bits & 0x807f_ffff,
            1 => bits | 0x7f80_0000,
            2 => (bits & 0xffff_0000) | 0x8000,
            _ => bits,
        });
    }
}

fn packs_the_same_bits<const W: usize>(
    mat: Mat<'_>,
    lanes: std::ops::Range<usize>,
    depth: std::ops::Range<usize>,
) {
    let len = lanes.len().div_ceil(W) * depth.len().div_ceil(2);
    let [fast, portable] = instructions().map(|instructions| {
        let mut packed = vec![[u32::MAX; W]; len];
        let panels = Panels { mat, lanes: lanes.clone(), depth: depth.clone(), packed: &mut packed };
        panels.fill(|panels| instructions.pack(panels), Threads::One);
        packed
    });
    assert_eq!(fast, portable);
}

#[test]
fn crosses_every_block() {
    let sizes = [
        [MAX_ROWS + 5, 37, 3],
        [13, MAX_COLS + 40, 5],
        [14, 35, 2 * MAX_DEPTH + 1],
        [3 * TASK_ROWS + 1, 2100 / MIRI_SHARE, 7],
    ];
    for [m, n, k] in sizes {
        let (a, b) = (Matrix::new(1, [m, k], Order::Rows, 0), Matrix::new(2, [k, n], Order::Columns, 1));
        for write in [Write::Overwrite, Write::Add] {
            check(&a, &b, 0.5, write, Threads::Pool);
        }
    }
}

#[test]
fn twins_sum_the_same() {
    let (m, n, k) = (50, 70, 2500 / MIRI_SHARE);
    let (a, b) = (Matrix::new(1, [m, k], Order::Rows, 0), Matrix::new(2, [k, n], Order::Rows, 0));
    let [fast, portable] = instructions().map(|instructions| {
        let product = Product { m, n, k, scale: 0.3 };
        let mut out = vec![0.0; m * n];
        let call =
            Call { a: a.mat(), b: b.mat(), product, write: Write::Add, threads: Threads::One, instructions };
        call.run(&mut out, n);
        out
    });
    // In which order the instruction adds the two products of a pair is the CPU's affair: units of rounding of a sum of
    // so many terms of at most 1.
    let bound = 16.0 * f32::EPSILON * 0.3 * k as f32;
    for (i, (fast, portable)) in fast.iter().zip(&portable).enumerate() {
        assert!((fast - portable).abs() < bound, "value {i} is {fast}, and {portable} by plain Rust");
    }
}

#[test]
fn depends_on_no_number_of_threads() {
    let (m, n, k) = if cfg!(miri) { (45, 40, 40) } else { (301, 210, 1500) };
    let (a, b) = (Matrix::new(1, [m, k], Order::Columns, 0), Matrix::new(2, [k, n], Order::Rows, 0));
    let run = |m, threads| {
        let mut out = vec![0.25; m * n];
        matmul_bf16(a.mat(), b.mat(), &mut out, n, Product { m, n, k, scale: 0.7 }, Write::Add, threads);
        bits(&out)
    };
    let expected = run(m, Threads::One);
    for n_threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        assert_eq!(pool.install(|| run(m, Threads::Pool)), expected, "{n_threads} threads");
    }
    assert_eq!(run(5, Threads::Pool), expected[..5 * n], "nor on the other rows");
}

#[test]
fn keeps_what_is_no_number_in_its_row_and_column() {
    let (m, n, k) = (15, 40, 9);
    for hostile in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let (mut a, b) = (vec![1.0; m * k], vec![1.0; k * n]);
        a[13 * k + 8] = hostile;
        for instructions in instructions() {
            let (a, b) = (Mat::rows(&a, k), Mat::rows(&b, n));
            let product = Product { m, n, k, scale: 1.0 };
            let mut out = vec![f32::NAN; m * n];
            let write = Write::Overwrite;
            Call { a, b, product, write, threads: Threads::One, instructions }.run(&mut out, n);
            for (i, row) in out.chunks(n).enumerate() {
                // The largest number is nearer to 2^128 than to the largest bf16 number.
                let expected = if i != 13 {
                    9.0
                } else if hostile == f32::MAX {
                    f32::INFINITY
                } else {
                    hostile
                };
                assert!(
                    row.iter().all(|x| x.total_cmp(&expected).is_eq() || x.is_nan() && expected.is_nan()),
                    "{row:?}"
                );
            }
        }
    }
    // Zero times infinity, in either operand.
    let mut out = [0.0; 1];
    let product = Product { m: 1, n: 1, k: 2, scale: 1.0 };
    let (zeros, infinite) = ([0.0, 1.0], [f32::INFINITY, 1.0]);
    matmul_bf16(
        Mat::rows(&zeros, 2),
        Mat::rows(&infinite, 1),
        &mut out,
        1,
        product,
        Write::Add,
        Threads::One,
    );
    assert!(out[0].is_nan());
}

#[test]
fn rounds_to_the_nearest_and_to_even() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let share = if cfg!(miri) { 257 } else { 1 };
    let ties = (0..=u16::MAX)
        .step_by(share)
        .flat_map(|high| [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].map(|low| (u32::from(high) << 16) | low));
    let random: Vec<u32> = (0..200_000 / share).map(|_| rng.random()).collect();
    for bits in ties.chain(random) {
        let x = f32::from_bits(bits);
        let expected =
            if x.is_subnormal() { HalfBf16::from_f32(0.0_f32.copysign(x)) } else { HalfBf16::from_f32(x) };
        assert_eq!(bf16(x), u32::from(expected.to_bits()), "{x:e} ({bits:#x})");
    }
}
