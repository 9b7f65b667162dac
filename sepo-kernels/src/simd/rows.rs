//! What loops do with one row

use super::{Loop, MulAdd, exp, vectorized};

/// Independent accumulators: two AVX-512 registers of `f32`, enough to hide the latency of an addition
const LANES: usize = 32;

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
