//! The fused head, with and without divergences, over chunks and tiles that do not divide anything

use crate::machine::{Machine, Memory, machines, said_by};
use crate::naive::{divergences, head, wide};
use crate::rounding::{Rounded, floats, values};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_kernels::cuda::{
    self, Bf16, DivergenceBuffers, DivergenceGrads, DivergenceOutput, HeadBufferLens, HeadBuffers, HeadGrads,
    HeadInput, HeadPlan, HeadTiling, RowSumBuffers, RowSumLens, Slice,
};
use sepo_kernels::{HeadShape, Rows};

const TILING: HeadTiling = HeadTiling { chunk: 5, tile: 24 };

/// Rows of which some share a hidden row and some hidden rows have none
fn rows(rng: &mut ChaCha8Rng, n_hidden: usize, vocab: usize) -> Rows {
    let mut hidden_rows: Vec<u32> =
        (0..2 * n_hidden).map(|_| rng.random_range(0..n_hidden as u32)).filter(|row| row % 5 != 3).collect();
    hidden_rows.sort_unstable();
    let targets = hidden_rows.iter().map(|_| rng.random_range(0..vocab as u32)).collect();
    Rows::new(hidden_rows, targets, n_hidden, vocab).expect("in range")
}

/// Buffers for a plan; `sides` is 2 where there are divergences
struct Buffers<T: Rounded> {
    packed: Memory<T>,
    logits: Memory<f32>,
    dlogits: Memory<T>,
    dpacked: Memory<f32>,
    max: Memory<f32>,
    sum: Memory<f64>,
}

impl<T: Rounded> Buffers<T> {
    fn new(on: &Machine, plan: &HeadPlan, shape: HeadShape, sides: usize) -> Self {
        let lens = HeadBufferLens::of(plan, shape, TILING);
        Self {
            packed: on.garbage(lens.packed),
            logits: on.garbage(lens.logits),
            dlogits: on.garbage(lens.logits),
            dpacked: on.garbage(lens.packed),
            max: on.garbage(lens.chunk * sides),
            sum: on.garbage(lens.chunk * sides),
        }
    }

    fn lend(&mut self) -> HeadBuffers<'_, T> {
        HeadBuffers {
            packed: self.packed.slice_mut(),
            logits: self.logits.slice_mut(),
            dlogits: self.dlogits.slice_mut(),
            dpacked: self.dpacked.slice_mut(),
            max: self.max.slice_mut(),
            sum: self.sum.slice_mut(),
        }
    }
}

fn input<'a, T: Rounded>(hidden: Slice<'a, T>, lm_head: Slice<'a, T>, shape: HeadShape) -> HeadInput<'a, T> {
    HeadInput { hidden, lm_head, shape, tiling: TILING }
}

#[track_caller]
fn assert_near(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (i, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let bound = tolerance * expected.abs().max(1.0);
        assert!((actual - expected).abs() <= bound, "value {i} is {actual}, expected {expected}");
    }
}

/// Each value is as near as rounding of the terms that it sums allows: of a tile's gradient to `T`, and of f32 sums
#[track_caller]
fn assert_gradient<T: Rounded>(actual: &[f32], expected: &[f64], terms: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (i, ((&actual, expected), terms)) in actual.iter().zip(expected).zip(terms).enumerate() {
        let bound = (2.0 * T::EPSILON + 2e-5) * terms + 1e-6;
        assert!((f64::from(actual) - expected).abs() <= bound, "value {i} is {actual}, expected {expected}");
    }
}

fn compare_logps<T: Rounded>(on: &Machine, shape: HeadShape, seed: u64) {
    let HeadShape { n_hidden, d_model, vocab } = shape;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rows = rows(&mut rng, n_hidden, vocab);
    let (hidden, lm_head) =
        (values::<T>(seed, n_hidden * d_model, 2.0), values::<T>(seed + 1, vocab * d_model, 1.0));
    let (wide_hidden, wide_head) = (wide(&floats(&hidden)), wide(&floats(&lm_head)));
    let (at_hidden, at_head) = (on.memory(&hidden), on.memory(&lm_head));
    let input = input(at_hidden.slice(), at_head.slice(), shape);

    let plan = on.place(HeadPlan::new(&rows, |_| true));
    let mut buffers = Buffers::new(on, plan.plan(), shape, 1);
    let (mut logps, mut lse) = (on.garbage(rows.len()), on.garbage(n_hidden));
    cuda::gather_logps(on, input, plan.view(), buffers.lend(), logps.slice_mut(), lse.slice_mut())
        .expect("launches");
    assert_near(&logps.read(), &head::forward(&wide_hidden, &wide_head, &rows, shape), 2e-6);

    // Some rows have no gradient, and with them some hidden rows; those keep what stands in `dhidden`.
    let dlogps: Vec<f64> =
        (0..rows.len()).map(|row| if row % 4 < 2 { 0.0 } else { rng.random::<f64>() - 0.5 }).collect();
    let expected = head::backward(&wide_hidden, &wide_head, &rows, &dlogps, shape);
    let plan = on.place(HeadPlan::new(&rows, |row| dlogps[row] != 0.0));
    let (mut dhidden, mut dlm_head) =
        (on.memory(&vec![T::of(0.0); hidden.len()]), on.memory(&vec![0.0_f32; lm_head.len()]));
    let grads = HeadGrads { dhidden: dhidden.slice_mut(), dlm_head: dlm_head.slice_mut() };
    let at_dlogps = on.memory(&dlogps);
    let given = (lse.slice(), at_dlogps.slice());
    cuda::gather_logps_backward(on, input, plan.view(), buffers.lend(), given, grads).expect("launches");
    assert_gradient::<T>(&floats(&dhidden.read()), &expected.dhidden, &expected.dhidden_terms);
    assert_gradient::<T>(&dlm_head.read(), &expected.dlm_head, &expected.dlm_head_terms);
}

fn compare_divergences<T: Rounded>(on: &Machine, shape: HeadShape, seed: u64) {
    let HeadShape { n_hidden, d_model, vocab } = shape;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rows = rows(&mut rng, n_hidden, vocab);
    // Others as wide as the policy, and half as wide.
    let models: Vec<(Vec<T>, Vec<T>, HeadShape)> = [d_model, d_model, d_model.div_ceil(2)]
        .into_iter()
        .zip(seed..)
        .map(|(d_model, seed)| {
            let lm_head = values(seed + 10, vocab * d_model, 1.0);
            (values(seed, n_hidden * d_model, 1.5), lm_head, HeadShape { d_model, ..shape })
        })
        .collect();
    let naive: Vec<divergences::Model> = models
        .iter()
        .map(|(hidden, lm_head, shape)| divergences::Model {
            hidden: wide(&floats(hidden)),
            lm_head: wide(&floats(lm_head)),
            d_model: shape.d_model,
        })
        .collect();
    let memory: Vec<_> =
        models.iter().map(|(hidden, lm_head, _)| (on.memory(hidden), on.memory(lm_head))).collect();
    let inputs: Vec<_> = memory
        .iter()
        .zip(&models)
        .map(|((hidden, lm_head), (_, _, shape))| input(hidden.slice(), lm_head.slice(), *shape))
        .collect();

    let plan = on.place(HeadPlan::new(&rows, |_| true));
    let lens = HeadBufferLens::of(plan.plan(), shape, TILING);
    let mut buffers = Buffers::new(on, plan.plan(), shape, 2);
    let (mut packed_other, mut logits_other) = (on.garbage::<T>(lens.packed), on.garbage(lens.logits));
    let mut difference = on.garbage(2 * lens.chunk);
    let n_rows = rows.len();
    let (mut logps, mut forward_kl, mut reverse_kl) =
        (on.garbage(n_rows), on.garbage(n_rows), on.garbage(n_rows));
    let mut lse = on.garbage(2 * n_hidden);
    let lent = DivergenceBuffers {
        head: buffers.lend(),
        packed_other: packed_other.slice_mut(),
        logits_other: logits_other.slice_mut(),
        difference: difference.slice_mut(),
    };
    let output = DivergenceOutput {
        logps: logps.slice_mut(),
        forward_kl: forward_kl.slice_mut(),
        reverse_kl: reverse_kl.slice_mut(),
        lse: lse.slice_mut(),
    };
    cuda::gather_divergences(on, inputs[0], &inputs[1..], plan.view(), lent, output).expect("launches");
    let expected = divergences::forward(&naive[0], &naive[1..], &rows);
    assert_near(&logps.read(), &expected.logps, 2e-6);
    assert_near(&forward_kl.read(), &expected.forward_kl, 1e-5);
    assert_near(&reverse_kl.read(), &expected.reverse_kl, 1e-5);

    let d: Vec<Vec<f64>> = (0..3).map(|_| (0..n_rows).map(|_| rng.random::<f64>() - 0.5).collect()).collect();
    let expected = divergences::backward(&naive[0], &naive[1..], &rows, [&d[0], &d[1], &d[2]]);
    let at_d: Vec<_> = d.iter().map(|d| on.memory(d)).collect();
    let given = DivergenceGrads {
        lse: lse.slice(),
        reverse_kl: reverse_kl.slice(),
        dlogps: at_d[0].slice(),
        dforward: at_d[1].slice(),
        dreverse: at_d[2].slice(),
    };
    let lent = DivergenceBuffers {
        head: buffers.lend(),
        packed_other: packed_other.slice_mut(),
        logits_other: logits_other.slice_mut(),
        difference: difference.slice_mut(),
    };
    let (mut dhidden, mut dlm_head) =
        (on.memory(&vec![T::of(0.0); n_hidden * d_model]), on.memory(&vec![0.0_f32; vocab * d_model]));
    let (to_hidden, to_head) = (dhidden.slice_mut(), dlm_head.slice_mut());
    cuda::gather_divergences_backward(
        on,
        inputs[0],
        &inputs[1..],
        plan.view(),
        lent,
        given,
        to_hidden,
        to_head,
    )
    .expect("launches");
    assert_gradient::<T>(&floats(&dhidden.read()), &expected.dhidden, &expected.dhidden_terms);
    assert_gradient::<T>(&dlm_head.read(), &expected.dlm_head, &expected.dlm_head_terms);
}

fn shapes() -> [HeadShape; 4] {
    [(1, 1, 1), (13, 8, 100), (7, 5, 24), (11, 16, 65)].map(|(n_hidden, d_model, vocab)| HeadShape {
        n_hidden,
        d_model,
        vocab,
    })
}

/// What is made of whole distributions, hidden row by hidden row
fn compare_distributions<T: Rounded>(on: &Machine, shape: HeadShape, seed: u64) {
    let HeadShape { n_hidden, vocab, .. } = shape;
    let models: Vec<(Vec<T>, Vec<T>, HeadShape)> = [shape.d_model, shape.d_model.div_ceil(2)]
        .into_iter()
        .zip(seed..)
        .map(|(d_model, seed)| {
            let lm_head = values(seed + 10, vocab * d_model, 1.0);
            (values(seed, n_hidden * d_model, 1.5), lm_head, HeadShape { d_model, ..shape })
        })
        .collect();
    let probabilities: Vec<Vec<f64>> = models
        .iter()
        .map(|(hidden, lm_head, shape)| {
            probabilities(&wide(&floats(hidden)), &wide(&floats(lm_head)), shape.d_model)
        })
        .collect();
    let memory: Vec<_> =
        models.iter().map(|(hidden, lm_head, _)| (on.memory(hidden), on.memory(lm_head))).collect();
    let inputs: Vec<_> = memory
        .iter()
        .zip(&models)
        .map(|((hidden, lm_head), (_, _, shape))| input(hidden.slice(), lm_head.slice(), *shape))
        .collect();
    let lens = RowSumLens::of(&inputs[0]);
    let mut work =
        [(); 2].map(|()| (on.garbage(lens.logits), on.garbage(lens.chunk), on.garbage(lens.chunk)));
    let [first, second] = work.each_mut().map(|(logits, max, sum)| RowSumBuffers {
        logits: logits.slice_mut(),
        max: max.slice_mut(),
        sum: sum.slice_mut(),
    });
    let mut distances = on.garbage(n_hidden);
    cuda::distribution_distances(on, [inputs[0], inputs[1]], [first, second], distances.slice_mut())
        .expect("launches");
    let rows = || probabilities[0].chunks(vocab).zip(probabilities[1].chunks(vocab));
    let apart = |(p, q): (&[f64], &[f64])| p.iter().zip(q).map(|(p, q)| (p - q).abs()).sum();
    assert_near(&distances.read(), &rows().map(apart).collect::<Vec<f64>>(), 1e-5);

    let [first, _] = work.each_mut().map(|(logits, max, sum)| RowSumBuffers {
        logits: logits.slice_mut(),
        max: max.slice_mut(),
        sum: sum.slice_mut(),
    });
    let (mut squares, mut collisions) = (on.garbage(lens.chunk), on.garbage(n_hidden));
    cuda::log_collisions(on, inputs[0], first, squares.slice_mut(), collisions.slice_mut())
        .expect("launches");
    let expected: Vec<f64> = rows().map(|(p, _)| p.iter().map(|p| p * p).sum::<f64>().ln()).collect();
    assert_near(&collisions.read(), &expected, 1e-5);
}

/// Of every hidden row, the whole distribution
fn probabilities(hidden: &[f64], lm_head: &[f64], d_model: usize) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let row = |h: &[f64]| {
        let powers: Vec<f64> = lm_head.chunks(d_model).map(|w| dot(h, w).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect::<Vec<f64>>()
    };
    hidden.chunks(d_model).flat_map(row).collect()
}

#[test]
fn distances_and_collisions_agree_with_all_logits_in_f64() {
    for on in machines() {
        for (shape, seed) in shapes().into_iter().zip([1, 20, 40, 60]) {
            compare_distributions::<f32>(&on, shape, seed);
            compare_distributions::<Bf16>(&on, shape, seed);
        }
    }
}

#[test]
fn rows_are_scaled_by_a_factor_each() {
    for on in machines() {
        for (n, d) in [(1, 1), (3, 7), (5, 64), (2, 300)] {
            let factors: Vec<f32> = (0..n).map(|row| row as f32 - 1.5).collect();
            let expected = |x: &[f32]| -> Vec<f32> {
                let rows = x.chunks(d).zip(&factors);
                rows.flat_map(|(row, factor)| row.iter().map(move |x| x * factor)).collect()
            };
            let at_factors = on.memory(&factors);
            let x = values::<f32>(3, n * d, 2.0);
            let mut at_x = on.memory(&x);
            cuda::scale_rows(&on, at_x.slice_mut(), d, at_factors.slice()).expect("a launch");
            assert_eq!(at_x.read(), expected(&x));
            let x = values::<Bf16>(3, n * d, 2.0);
            let mut at_x = on.memory(&x);
            cuda::scale_rows(&on, at_x.slice_mut(), d, at_factors.slice()).expect("a launch");
            let rounded: Vec<Bf16> = expected(&floats(&x)).into_iter().map(Bf16::from_f32).collect();
            assert_eq!(at_x.read(), rounded);
        }
    }
}

#[test]
fn log_probabilities_and_gradients_agree_with_all_logits_in_f64() {
    for on in machines() {
        for (shape, seed) in shapes().into_iter().zip([1, 20, 40, 60]) {
            compare_logps::<f32>(&on, shape, seed);
            compare_logps::<Bf16>(&on, shape, seed);
        }
    }
}

#[test]
fn divergences_and_gradients_agree_with_all_logits_in_f64() {
    for on in machines() {
        for (shape, seed) in shapes().into_iter().zip([1, 20, 40, 60]) {
            compare_divergences::<f32>(&on, shape, seed);
            compare_divergences::<Bf16>(&on, shape, seed);
        }
    }
}

/// In a release build the product of the sizes wrapped to the length of `hidden`.
#[test]
fn sizes_whose_product_wraps_are_refused() {
    let shape = HeadShape { n_hidden: (1 << 63) + 1, d_model: 2, vocab: 1 };
    let rows = Rows::new(vec![], vec![], 0, 1).expect("none");
    for on in machines() {
        let plan = on.place(HeadPlan::new(&rows, |_| true));
        let (hidden, lm_head) = (on.memory(&[1.0; 2]), on.memory(&[1.0; 2]));
        let mut buffers = Buffers::<f32>::new(&on, plan.plan(), HeadShape { n_hidden: 1, ..shape }, 1);
        let (mut logps, mut lse) = (on.garbage(0), on.garbage(1));
        let said = said_by(|| {
            let input = input(hidden.slice(), lm_head.slice(), shape);
            cuda::gather_logps(&on, input, plan.view(), buffers.lend(), logps.slice_mut(), lse.slice_mut())
        });
        assert!(said.contains("`hidden` must be [9223372036854775809, 2]"), "{said}");
    }
}
