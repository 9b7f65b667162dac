//! Packing and one tile of the product with AVX512-BF16

use super::pack::Panels;
use super::tile::{MR, NR, Tile};
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps,
    _mm512_mask_storeu_epi32, _mm512_maskz_loadu_ps, _mm512_permutexvar_epi16, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};
use std::mem::transmute;

/// Values and pairs in a register
const LANES: usize = 16;

/// How far ahead values are asked for, since the machine does not foresee strides: in terms that are rows of memory,
/// or in registers along a lane
const AHEAD: usize = 8;

/// The order that pairs the first with the second half of a register of bf16 numbers, two places in each value
const ORDER: [u32; LANES] = {
    let mut order = [16 << 16; LANES];
    let mut i = 1;
    while i < LANES {
        order[i] = order[i - 1] + 0x0001_0001;
        i += 1;
    }
    order
};

/// Proof that the machine has what this module is compiled for
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Detected(());

impl Detected {
    pub(super) fn new() -> Option<Self> {
        let has_all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16");
        has_all.then_some(Self(()))
    }

    /// The tile of packed rows `a` and packed columns `b`
    #[inline]
    pub(super) fn multiply(self, a: &[[u32; MR]], b: &[[u32; NR]]) -> Tile {
        #[expect(unsafe_code, reason = "instructions beyond the baseline")]
        // SAFETY: `Detected::new` found the features that the function is compiled for.
        unsafe {
            multiply(a, b)
        }
    }

    /// Asks for what stands at `x`, which is read soon
    #[inline]
    pub(super) fn prefetch(self, x: &[f32]) {
        x.chunks(LANES).for_each(prefetch);
    }

    /// Fills panels of a matrix whose lanes are neighbours
    pub(super) fn interleave<const W: usize>(self, panels: Panels<'_, W>) {
        #[expect(unsafe_code, reason = "instructions beyond the baseline")]
        // SAFETY: as above.
        unsafe {
            interleave(panels);
        }
    }

    /// Fills panels of a matrix whose terms are neighbours
    pub(super) fn transpose<const W: usize>(self, panels: Panels<'_, W>) {
        #[expect(unsafe_code, reason = "instructions beyond the baseline")]
        // SAFETY: as above.
        unsafe {
            transpose(panels);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn multiply(a: &[[u32; MR]], b: &[[u32; NR]]) -> Tile {
    let mut sums = [[_mm512_setzero_ps(); 2]; MR];
    for (a, b) in a.iter().zip(b) {
        let (left, right) = b.split_at(LANES);
        let (left, right) = (as_pairs(load_pairs(left)), as_pairs(load_pairs(right)));
        for (sums, &a) in sums.iter_mut().zip(a) {
            let a = as_pairs(_mm512_set1_epi32(a.cast_signed()));
            sums[0] = _mm512_dpbf16_ps(sums[0], a, left);
            sums[1] = _mm512_dpbf16_ps(sums[1], a, right);
        }
    }
    #[expect(unsafe_code, reason = "a store that needs no pointer")]
    // SAFETY: both are `MR` rows of 128 bytes, any of which are a value.
    Tile(unsafe { transmute::<[[__m512; 2]; MR], [[f32; NR]; MR]>(sums) })
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn interleave<const W: usize>(panels: Panels<'_, W>) {
    let n_pairs = panels.n_pairs();
    let Panels { mat, lanes, depth, packed } = panels;
    let order = load_pairs(&ORDER);
    for (i, k) in depth.clone().step_by(2).enumerate() {
        let low = &mat.data[k * mat.col_stride..][lanes.clone()];
        let high = if k + 1 < depth.end { &mat.data[(k + 1) * mat.col_stride..][lanes.clone()] } else { &[] };
        for k in [k + AHEAD, k + AHEAD + 1] {
            let ahead = mat.data.get(k * mat.col_stride + lanes.start..).unwrap_or_default();
            ahead[..lanes.len().min(ahead.len())].chunks(LANES).for_each(prefetch);
        }
        for (panel, start) in packed.chunks_mut(n_pairs).zip((0..).step_by(W)) {
            for (pairs, start) in panel[i].chunks_mut(LANES).zip((start..).step_by(LANES)) {
                let rounded =
                    round(load_first(low, start, pairs.len()), load_first(high, start, pairs.len()));
                store(pairs, _mm512_permutexvar_epi16(order, rounded));
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn transpose<const W: usize>(panels: Panels<'_, W>) {
    let n_pairs = panels.n_pairs();
    let Panels { mat, lanes, depth, packed } = panels;
    for (panel, panel_start) in packed.chunks_mut(n_pairs).zip(lanes.clone().step_by(W)) {
        for (pairs, k) in panel.chunks_mut(LANES).zip(depth.clone().step_by(2 * LANES)) {
            let len = depth.end.min(k + 2 * LANES) - k;
            for offset in (0..W).step_by(LANES) {
                let mut rows = [_mm512_setzero_si512(); LANES];
                let start = panel_start + offset;
                let end = lanes.end.min(panel_start + W).min(start + LANES);
                for (row, lane) in rows.iter_mut().zip(start..end) {
                    let ahead = lane * mat.row_stride + k + AHEAD * LANES;
                    let ahead = mat.data.get(ahead..).unwrap_or_default();
                    prefetch(ahead);
                    prefetch(ahead.get(LANES..).unwrap_or_default());
                    let values = &mat.data[lane * mat.row_stride + k..][..len];
                    *row = round(load_first(values, 0, LANES), load_first(values, LANES, LANES));
                }
                let columns = transposed(rows);
                for (pairs, column) in pairs.iter_mut().zip(columns) {
                    store(&mut pairs[offset..W.min(offset + LANES)], column);
                }
            }
        }
    }
}

/// The 16 x 16 values with rows and columns exchanged
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [__m512i; LANES]) -> [__m512i; LANES] {
    // Within quarters of registers, 4 x 4 blocks: first pairs of rows, then pairs of pairs.
    let mut twos = rows;
    for (two, row) in twos.chunks_exact_mut(2).zip(rows.chunks_exact(2)) {
        two[0] = _mm512_unpacklo_epi32(row[0], row[1]);
        two[1] = _mm512_unpackhi_epi32(row[0], row[1]);
    }
    let mut fours = twos;
    for (four, two) in fours.chunks_exact_mut(4).zip(twos.chunks_exact(4)) {
        four[0] = _mm512_unpacklo_epi64(two[0], two[2]);
        four[1] = _mm512_unpackhi_epi64(two[0], two[2]);
        four[2] = _mm512_unpacklo_epi64(two[1], two[3]);
        four[3] = _mm512_unpackhi_epi64(two[1], two[3]);
    }
    // `fours[4 g + j]` holds in quarter q the rows 4 g.. of column 4 q + j; now the quarters are exchanged.
    let mut columns = fours;
    for j in 0..4 {
        let [g0, g1, g2, g3] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
        let even_01 = _mm512_shuffle_i32x4::<0b10_00_10_00>(g0, g1);
        let odd_01 = _mm512_shuffle_i32x4::<0b11_01_11_01>(g0, g1);
        let even_23 = _mm512_shuffle_i32x4::<0b10_00_10_00>(g2, g3);
        let odd_23 = _mm512_shuffle_i32x4::<0b11_01_11_01>(g2, g3);
        columns[j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(even_01, even_23);
        columns[4 + j] = _mm512_shuffle_i32x4::<0b10_00_10_00>(odd_01, odd_23);
        columns[8 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(even_01, even_23);
        columns[12 + j] = _mm512_shuffle_i32x4::<0b11_01_11_01>(odd_01, odd_23);
    }
    columns
}

/// Asks for the cache line of the first value
#[inline(always)]
fn prefetch(x: &[f32]) {
    #[expect(unsafe_code, reason = "prefetches take raw pointers")]
    // SAFETY: a hint; it reads nothing that the program sees.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(x.as_ptr().cast());
    }
}

/// The values as bf16 numbers, `low` first
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn round(low: __m512, high: __m512) -> __m512i {
    #[expect(unsafe_code, reason = "no intrinsic casts from this type")]
    // SAFETY: both are 64 bytes, any of which are a value.
    unsafe {
        transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn as_pairs(x: __m512i) -> __m512bh {
    #[expect(unsafe_code, reason = "no intrinsic casts to this type")]
    // SAFETY: both are 64 bytes, any of which are a value.
    unsafe {
        transmute::<__m512i, __m512bh>(x)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_pairs(x: &[u32]) -> __m512i {
    let x: [u32; LANES] = x.try_into().expect("one register of pairs");
    #[expect(unsafe_code, reason = "a load that needs no pointer")]
    // SAFETY: both are 64 bytes, any of which are a value.
    unsafe {
        transmute::<[u32; LANES], __m512i>(x)
    }
}

/// The values from `start` on, at most `len` and what a register holds, then zeros
#[inline]
#[target_feature(enable = "avx512f")]
fn load_first(x: &[f32], start: usize, len: usize) -> __m512 {
    let x = &x[start.min(x.len())..];
    let mask = first(x.len().min(len));
    #[expect(unsafe_code, reason = "loads take raw pointers")]
    // SAFETY: what is masked is not read, and no more than `x.len()` values are not.
    unsafe {
        _mm512_maskz_loadu_ps(mask, x.as_ptr())
    }
}

/// Writes the first pairs, as many as a slice of at most a register takes
#[inline]
#[target_feature(enable = "avx512f")]
fn store(to: &mut [u32], x: __m512i) {
    #[expect(unsafe_code, reason = "stores take raw pointers")]
    // SAFETY: what is masked is not written, and no more than `to.len()` values are not.
    unsafe {
        _mm512_mask_storeu_epi32(to.as_mut_ptr().cast(), first(to.len()), x);
    }
}

/// A mask of the first `n` lanes, of all where `n` is larger
#[inline(always)]
fn first(n: usize) -> u16 {
    #[expect(clippy::cast_possible_truncation, reason = "`LANES` bits")]
    let mask = ((1_u32 << n.min(LANES)) - 1) as u16;
    mask
}
