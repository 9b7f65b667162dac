//! Exponentials for vectorised loops

use super::MulAdd;

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
