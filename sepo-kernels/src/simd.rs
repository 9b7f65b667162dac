//! Inner loops on one row, compiled for the instruction set that the machine has
//!
//! The loops are plain Rust in fixed-width chunks; `pulp` compiles them for AVX-512, AVX2 and the baseline, and picks at
//! run time.

use pulp::{Arch, Simd, WithSimd};

/// Independent accumulators: two AVX-512 registers of `f32`, enough to hide the latency of an addition
const LANES: usize = 32;

/// A loop and the values it runs on
///
/// A trait and not a closure: only a method that is always inlined is sure to be compiled for the instruction set of its
/// caller; a closure that is not inlined falls back to the baseline.
pub(crate) trait Loop {
    /// what the loop returns
    type Output;

    /// Runs the loop; `#[inline(always)]` in every implementation
    fn run<M: MulAdd>(self) -> Self::Output;
}

/// How `a b + c` is computed: what a loop asks for where the difference is worth it
///
/// Rust fuses nothing by itself, and `f32::mul_add` is a slow call on machines without the instruction.
pub(crate) trait MulAdd {
    /// `a b + c`
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// Rounded once, by one instruction
struct Fused;

impl MulAdd for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// Rounded twice
pub(crate) struct Separate;

impl MulAdd for Separate {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

struct Dispatched<L>(L);

impl<L: Loop> WithSimd for Dispatched<L> {
    type Output = L::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> L::Output {
        // Every instruction set with registers of several values that `pulp` knows has a fused form.
        if const { S::F32_LANES > 1 } { self.0.run::<Fused>() } else { self.0.run::<Separate>() }
    }
}

/// What `body` returns, run with the best instructions of the machine
#[inline(always)]
pub(crate) fn vectorized<L: Loop>(body: L) -> L::Output {
    Arch::new().dispatch(Dispatched(body))
}

/// `e^x` within 2 units in the last place; 0 below -87.3, infinite above 88, not-a-number kept
///
/// `e^x = 2^n e^r` with `n = round(x / ln 2)` and a polynomial for `e^r` on `|r| <= ln 2 / 2` (Cephes `expf`).
#[inline(always)]
pub(crate) fn exp<M: MulAdd>(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it leaves the rounded integer in the low mantissa bits
    const LN_2_HIGH: f32 = 0.693_359_4; // 9 bits, so that n * LN_2_HIGH is exact
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let shifted = M::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = M::mul_add(-n, LN_2_LOW, M::mul_add(-n, LN_2_HIGH, x));
    let mut p = 1.987_569_1e-4;
    p = M::mul_add(p, r, 1.398_199_9e-3);
    p = M::mul_add(p, r, 8.333_452e-3);
    p = M::mul_add(p, r, 4.166_579_6e-2);
    p = M::mul_add(p, r, 1.666_666_5e-1);
    p = M::mul_add(p, r, 0.5);
    p = M::mul_add(p * r, r, r) + 1.0;
    // 2^n: n stands in the low bits and moves into the exponent; x <= 88 keeps it in range.
    let bits = shifted.to_bits() << 23;
    let scaled = f32::from_bits(p.to_bits().wrapping_add(bits));
    let scaled = if x < -87.3 { 0.0 } else { scaled };
    let scaled = if x > 88.0 { f32::INFINITY } else { scaled };
    if x.is_nan() { x } else { scaled }
}

/// `1 / (1 + e^-x)`
#[inline(always)]
pub(crate) fn sigmoid<M: MulAdd>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<M>(-x))
}

/// The largest value; not-a-number values are passed over, and -inf stands for an empty row
pub(crate) fn max(row: &[f32]) -> f32 {
    vectorized(Max { row })
}

/// See [`max`]
struct Max<'a> {
    row: &'a [f32],
}

impl Loop for Max<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> f32 {
        let Self { row } = self;
        let mut lanes = [f32::NEG_INFINITY; LANES];
        let chunks = row.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane = if x > *lane { x } else { *lane };
            }
        }
        lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
    }
}

/// Replaces every `x` by `e^(x - shift)` and returns their sum
pub(crate) fn exp_and_sum(row: &mut [f32], shift: f32) -> f32 {
    vectorized(ExpAndSum { row, shift })
}

/// See [`exp_and_sum`]
struct ExpAndSum<'a> {
    row: &'a mut [f32],
    shift: f32,
}

impl Loop for ExpAndSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> f32 {
        let Self { row, shift } = self;
        let mut lanes = [0.0; LANES];
        let mut chunks = row.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            for (lane, x) in lanes.iter_mut().zip(chunk) {
                *x = exp::<M>(*x - shift);
                *lane += *x;
            }
        }
        let mut sum: f32 = lanes.iter().sum();
        for x in chunks.into_remainder() {
            *x = exp::<M>(*x - shift);
            sum += *x;
        }
        sum
    }
}

/// The sum of `e^(x - shift)`, accumulated in `f64`
pub(crate) fn sum_of_exp(row: &[f32], shift: f32) -> f64 {
    vectorized(SumOfExp { row, shift })
}

/// See [`sum_of_exp`]
struct SumOfExp<'a> {
    row: &'a [f32],
    shift: f32,
}

impl Loop for SumOfExp<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> f64 {
        let Self { row, shift } = self;
        let mut lanes = [0.0_f64; LANES];
        let chunks = row.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, &x) in lanes.iter_mut().zip(chunk) {
                *lane += f64::from(exp::<M>(x - shift));
            }
        }
        let mut sum: f64 = lanes.iter().sum();
        for &x in rest {
            sum += f64::from(exp::<M>(x - shift));
        }
        sum
    }
}

/// Replaces every `x` by `factor * e^(x - shift)`
pub(crate) fn scaled_exp(row: &mut [f32], shift: f32, factor: f32) {
    vectorized(ScaledExp { row, shift, factor });
}

/// See [`scaled_exp`]
struct ScaledExp<'a> {
    row: &'a mut [f32],
    shift: f32,
    factor: f32,
}

impl Loop for ScaledExp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { row, shift, factor } = self;
        for x in row {
            *x = factor * exp::<M>(*x - shift);
        }
    }
}

/// Replaces every `x` by `factor * x`
pub(crate) fn scale(row: &mut [f32], factor: f32) {
    vectorized(Scale { row, factor });
}

/// See [`scale`]
struct Scale<'a> {
    row: &'a mut [f32],
    factor: f32,
}

impl Loop for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { row, factor } = self;
        for x in row {
            *x *= factor;
        }
    }
}

/// The inner product of two rows of one length
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    vectorized(Dot { a, b })
}

/// See [`dot`]
struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Loop for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> f32 {
        dot_body::<M>(self.a, self.b)
    }
}

/// [`dot`], for use within another loop
#[inline(always)]
pub(crate) fn dot_body<M: MulAdd>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks_a, chunks_b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = chunks_a.remainder().iter().zip(chunks_b.remainder());
    for (chunk_a, chunk_b) in chunks_a.zip(chunks_b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(chunk_a.iter().zip(chunk_b)) {
            *lane = M::mul_add(*a, *b, *lane);
        }
    }
    lanes.iter().sum::<f32>() + rest.map(|(a, b)| a * b).sum::<f32>()
}

/// The sum of the products of three rows of one length, for use within another loop
#[inline(always)]
pub(crate) fn dot3_body<M: MulAdd>(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks_a, chunks_b, chunks_c) =
        (a.chunks_exact(LANES), b.chunks_exact(LANES), c.chunks_exact(LANES));
    let rest = chunks_a.remainder().iter().zip(chunks_b.remainder()).zip(chunks_c.remainder());
    for ((chunk_a, chunk_b), chunk_c) in chunks_a.zip(chunks_b).zip(chunks_c) {
        for (lane, ((a, b), c)) in lanes.iter_mut().zip(chunk_a.iter().zip(chunk_b).zip(chunk_c)) {
            *lane = M::mul_add(a * b, *c, *lane);
        }
    }
    lanes.iter().sum::<f32>() + rest.map(|((a, b), c)| a * b * c).sum::<f32>()
}

/// The sum of a row, for use within another loop
#[inline(always)]
pub(crate) fn sum_body(row: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Replaces every `x` by `factor (x - shift)`, with a factor for each
pub(crate) fn multiply_difference(row: &mut [f32], factors: &[f32], shift: f32) {
    vectorized(MultiplyDifference { row, factors, shift });
}

/// See [`multiply_difference`]
struct MultiplyDifference<'a> {
    row: &'a mut [f32],
    factors: &'a [f32],
    shift: f32,
}

impl Loop for MultiplyDifference<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { row, factors, shift } = self;
        for (x, factor) in row.iter_mut().zip(factors) {
            *x = factor * (*x - shift);
        }
    }
}
