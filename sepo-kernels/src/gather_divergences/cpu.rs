//! The fused head with divergences on the CPU: the walk of `gather_logps`, with two tiles of logits
//!
//! ```text
//! for 1024 hidden rows that some row reads
//!     for 1024 tokens of the vocabulary
//!         a = hidden lm_headᵀ, b = Σ other hidden, other lm_headᵀ
//!         forward:  running maximum, Σ e^a, Σ e^a (a - b), and the same with a and b in each other's place
//!         backward: dlogits in the place of a, two gemms
//! ```

use super::{DivergenceScratch, GatheredDivergences, HeadStates, RowGradients};
use crate::gather_logps::tiles::{Group, HIDDEN_ROWS, VOCAB_TILE, groups, pack, tile_logits, vocab_tiles};
use crate::matmul::{Mat, Product, Threads};
use crate::simd::{self, Loop, MulAdd, vectorized};
use crate::{Precision, Rows, Write};
use rayon::prelude::*;
use std::ops::Range;

/// The moments of one side that its log-sum-exp and its divergence are made of, taken tile by tile
#[derive(Clone, Copy)]
struct Side {
    max: f32,
    /// `Σ e^(x - max)`
    sum: f64,
    /// `Σ e^(x - max) (x - y)`
    difference: f64,
}

impl Side {
    const EMPTY: Self = Self { max: f32::NEG_INFINITY, sum: 0.0, difference: 0.0 };

    /// Takes logits `x` of this side with those of the other
    fn add(&mut self, x: &[f32], y: &[f32]) {
        let max = self.max.max(simd::max(x));
        let shift = if max == f32::NEG_INFINITY { 0.0 } else { max };
        let (sum, difference) = vectorized(Moments { x, y, shift });
        let before = (f64::from(self.max) - f64::from(shift)).exp();
        self.sum = self.sum * before + sum;
        self.difference = self.difference * before + difference;
        self.max = max;
    }

    fn lse(self) -> f64 {
        f64::from(self.max) + self.sum.ln()
    }

    /// `Σ_v softmax(x)[v] (log softmax(x)[v] - log softmax(y)[v])`
    fn divergence(self, other: Self) -> f64 {
        self.difference / self.sum - self.lse() + other.lse()
    }
}

/// `Σ e^(x - shift)` and `Σ e^(x - shift) (x - y)`
struct Moments<'a> {
    x: &'a [f32],
    y: &'a [f32],
    shift: f32,
}

impl Loop for Moments<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<M: MulAdd>(self) -> (f64, f64) {
        const LANES: usize = 16;
        let Self { x, y, shift } = self;
        let (mut sums, mut differences) = ([0.0_f64; LANES], [0.0_f64; LANES]);
        for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
            for ((sum, difference), (&x, &y)) in sums.iter_mut().zip(&mut differences).zip(x.iter().zip(y)) {
                let weight = simd::exp::<M>(x - shift);
                // What has no weight adds nothing, however far apart the logits are.
                let term = if weight == 0.0 { 0.0 } else { weight * (x - y) };
                *sum += f64::from(weight);
                *difference += f64::from(term);
            }
        }
        (sums.iter().sum(), differences.iter().sum())
    }
}

/// Logits of all `others` for the hidden rows of `groups`, added up
fn other_logits(
    others: &[HeadStates<'_>],
    groups: &[Group],
    tile: &Range<usize>,
    packed: &mut Vec<f32>,
    logits: &mut [f32],
    precision: Precision,
) {
    if others.is_empty() {
        logits.fill(0.0);
    }
    for (i, other) in others.iter().enumerate() {
        let write = if i == 0 { Write::Overwrite } else { Write::Add };
        pack(other.hidden, groups, other.d_model, packed);
        tile_logits(packed, other.lm_head, tile, other.d_model, logits, precision, write);
    }
}

pub(super) fn gather_divergences(
    policy: HeadStates<'_>,
    others: &[HeadStates<'_>],
    rows: &Rows,
    scratch: &mut DivergenceScratch,
) -> GatheredDivergences {
    let vocab = policy.vocab();
    let groups = groups(rows, |_| true);
    let zeros = || vec![0.0; rows.len()];
    let mut gathered = GatheredDivergences {
        logps: zeros(),
        forward_kl: zeros(),
        reverse_kl: zeros(),
        lse: vec![[f64::NAN; 2]; policy.n_hidden()],
    };
    let DivergenceScratch { packed, packed_other, tile: a, tile_other: b, precision, .. } = scratch;
    let n_buffer = groups.len().min(HIDDEN_ROWS) * vocab.min(VOCAB_TILE);
    a.resize(n_buffer, 0.0);
    b.resize(n_buffer, 0.0);
    for groups in groups.chunks(HIDDEN_ROWS) {
        pack(policy.hidden, groups, policy.d_model, packed);
        let mut sides = vec![[Side::EMPTY; 2]; groups.len()];
        for tile in vocab_tiles(vocab) {
            let n_logits = groups.len() * tile.len();
            let (a, b) = (&mut a[..n_logits], &mut b[..n_logits]);
            tile_logits(packed, policy.lm_head, &tile, policy.d_model, a, *precision, Write::Overwrite);
            other_logits(others, groups, &tile, packed_other, b, *precision);
            let logits = a.par_chunks(tile.len()).zip(b.par_chunks(tile.len()));
            sides.par_iter_mut().zip(logits).for_each(|([policy, other], (a, b))| {
                policy.add(a, b);
                other.add(b, a);
            });
            for (group, a) in groups.iter().zip(a.chunks(tile.len())) {
                for row in group.rows.clone() {
                    let target = rows.targets()[row] as usize;
                    if tile.contains(&target) {
                        gathered.logps[row] = f64::from(a[target - tile.start]);
                    }
                }
            }
        }
        for (group, [policy, other]) in groups.iter().zip(sides) {
            gathered.lse[group.hidden_row] = [policy.lse(), other.lse()];
            for row in group.rows.clone() {
                gathered.logps[row] -= policy.lse();
                gathered.forward_kl[row] = other.divergence(policy);
                gathered.reverse_kl[row] = policy.divergence(other);
            }
        }
    }
    gathered
}

pub(super) fn gather_divergences_backward(
    policy: HeadStates<'_>,
    others: &[HeadStates<'_>],
    rows: &Rows,
    gathered: &GatheredDivergences,
    d: RowGradients<'_>,
    (dhidden, dlm_head): (&mut [f32], &mut [f32]),
    scratch: &mut DivergenceScratch,
) {
    let (d_model, vocab) = (policy.d_model, policy.vocab());
    dhidden.fill(0.0);
    let groups = groups(rows, |row| [d.logps, d.forward_kl, d.reverse_kl].iter().any(|d| d[row] != 0.0));
    let DivergenceScratch { packed, packed_other, dpacked, tile: a, tile_other: b, precision } = scratch;
    let matmul = precision.matmul();
    let n_buffer = groups.len().min(HIDDEN_ROWS) * vocab.min(VOCAB_TILE);
    a.resize(n_buffer, 0.0);
    b.resize(n_buffer, 0.0);
    for groups in groups.chunks(HIDDEN_ROWS) {
        let n_rows = groups.len();
        pack(policy.hidden, groups, d_model, packed);
        dpacked.clear();
        dpacked.resize(packed.len(), 0.0);
        for tile in vocab_tiles(vocab) {
            let n_logits = n_rows * tile.len();
            let (a, b) = (&mut a[..n_logits], &mut b[..n_logits]);
            tile_logits(packed, policy.lm_head, &tile, d_model, a, *precision, Write::Overwrite);
            other_logits(others, groups, &tile, packed_other, b, *precision);
            let logits = a.par_chunks_mut(tile.len()).zip(b.par_chunks(tile.len()));
            groups.par_iter().zip(logits).for_each(|(group, (a, b))| {
                logits_to_gradient((a, b), &tile, group, rows, gathered, d);
            });
            let dlogits = Mat::rows(a, tile.len());
            let weights = tile.start * d_model..tile.end * d_model;
            let to_hidden = Product { m: n_rows, n: d_model, k: tile.len(), scale: 1.0 };
            let weight = Mat::rows(&policy.lm_head[weights.clone()], d_model);
            matmul(dlogits, weight, dpacked, d_model, to_hidden, Write::Add, Threads::Pool);
            let to_weight = Product { m: tile.len(), n: d_model, k: n_rows, scale: 1.0 };
            let (dlogits, dweight) = (dlogits.transposed(), &mut dlm_head[weights]);
            let packed = Mat::rows(packed, d_model);
            matmul(dlogits, packed, dweight, d_model, to_weight, Write::Add, Threads::Pool);
        }
        for (group, dpacked) in groups.iter().zip(dpacked.chunks_exact(d_model)) {
            dhidden[group.hidden_row * d_model..][..d_model].copy_from_slice(dpacked);
        }
    }
}

/// Replaces one hidden row's logits `a` by their gradient
#[expect(clippy::cast_possible_truncation, reason = "gradients of the network are f32")]
fn logits_to_gradient(
    (a, b): (&mut [f32], &[f32]),
    tile: &Range<usize>,
    group: &Group,
    rows: &Rows,
    gathered: &GatheredDivergences,
    d: RowGradients<'_>,
) {
    let total = |d: &[f64]| d[group.rows.clone()].iter().sum::<f64>();
    let (of_logps, of_forward, of_reverse) = (total(d.logps), total(d.forward_kl), total(d.reverse_kl));
    let [lse, lse_other] = gathered.lse[group.hidden_row];
    let reverse_kl = gathered.reverse_kl[group.rows.start];
    // The shifts are f32; what rounding took from the log-sum-exp goes into the factors.
    let shifts = [lse as f32, lse_other as f32];
    let rest = |i: usize| (f64::from(shifts[i]) - [lse, lse_other][i]).exp();
    vectorized(Gradient {
        a,
        b,
        shifts,
        constant: ((of_forward - of_logps) * rest(0)) as f32,
        slope: (of_reverse * rest(0)) as f32,
        // log p - log q - reverse_kl = a - b - center; nobody asks for it where it may be infinite.
        center: if of_reverse == 0.0 { 0.0 } else { (lse - lse_other + reverse_kl) as f32 },
        other: (of_forward * rest(1)) as f32,
    });
    for row in group.rows.clone() {
        let target = rows.targets()[row] as usize;
        if tile.contains(&target) {
            a[target - tile.start] += d.logps[row] as f32;
        }
    }
}

/// `a = e^(a - shift) (constant + slope (a - b - center)) - other e^(b - shift)`
struct Gradient<'a> {
    a: &'a mut [f32],
    b: &'a [f32],
    shifts: [f32; 2],
    constant: f32,
    slope: f32,
    center: f32,
    other: f32,
}

impl Loop for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { a, b, shifts, constant, slope, center, other } = self;
        for (a, &b) in a.iter_mut().zip(b) {
            let (p, q) = (simd::exp::<M>(*a - shifts[0]), simd::exp::<M>(b - shifts[1]));
            let factor = if p == 0.0 { 0.0 } else { M::mul_add(slope, *a - b - center, constant) };
            *a = M::mul_add(p, factor, -(other * q));
        }
    }
}
