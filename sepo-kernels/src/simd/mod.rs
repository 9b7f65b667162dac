//! Inner loops on one row, compiled for the instruction set that the machine has
//!
//! The loops are plain Rust in fixed-width chunks; `pulp` compiles them for AVX-512, AVX2 and the baseline, and picks at
//! run time.

mod exp;
mod rows;

pub(crate) use exp::{exp, sigmoid};
pub(crate) use rows::{
    dot, dot_body, dot3_body, exp_and_sum, max, multiply_difference, scale, scaled_exp, sum_body, sum_of_exp,
};

use pulp::{Arch, Simd, WithSimd};

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

/// The instruction set that this machine runs the loops of this crate with: `avx512`, `avx2`, `neon`, or `baseline` for what every
/// processor of the kind has
///
/// Sums are taken in the order of its lanes, so results of two machines agree bit for bit only where it is the same.
///
/// # Examples
///
/// ```
/// assert!(["avx512", "avx2", "neon", "baseline"].contains(&sepo_kernels::instruction_set()));
/// ```
#[must_use]
pub fn instruction_set() -> &'static str {
    match Arch::new() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V4(_) => "avx512",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V3(_) => "avx2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "neon",
        _ => "baseline",
    }
}

/// What `body` returns, run with the best instructions of the machine
#[inline(always)]
pub(crate) fn vectorized<L: Loop>(body: L) -> L::Output {
    Arch::new().dispatch(Dispatched(body))
}
