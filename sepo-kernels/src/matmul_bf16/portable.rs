//! One tile of the product in plain Rust: the same results on other machines, at less than the speed of `f32` products

use super::tile::{MR, NR, Tile};
use crate::simd::{Loop, MulAdd};

/// The tile of packed rows `a` and packed columns `b`
pub(super) struct Multiply<'a> {
    pub(super) a: &'a [[u32; MR]],
    pub(super) b: &'a [[u32; NR]],
}

impl Loop for Multiply<'_> {
    type Output = Tile;

    #[inline(always)]
    fn run<M: MulAdd>(self) -> Tile {
        let mut tile = Tile([[0.0; NR]; MR]);
        // Row by row: the compiler takes loops over several rows for ones with strides, ten times slower.
        for (row, to) in tile.0.iter_mut().enumerate() {
            let mut sums = [0.0; NR];
            for (a, b) in self.a.iter().zip(self.b) {
                let (a_low, a_high) = (low(a[row]), high(a[row]));
                for (sum, &b) in sums.iter_mut().zip(b) {
                    // The order of `vdpbf16ps`. Products are exact, so that fusing would change nothing.
                    *sum = (*sum + a_high * high(b)) + a_low * low(b);
                }
            }
            *to = sums;
        }
        tile
    }
}

#[inline(always)]
fn low(pair: u32) -> f32 {
    f32::from_bits(pair << 16)
}

#[inline(always)]
fn high(pair: u32) -> f32 {
    f32::from_bits(pair & 0xffff_0000)
}
