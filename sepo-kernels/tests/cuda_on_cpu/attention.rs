//! Attention over random layouts: roots, children and chains, empty and one-token segments, windows, some tokens only asking

use crate::machine::{Machine, machines};
use crate::rounding::{Rounded, floats, values};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sepo_kernels::cuda::{self, AttentionInput, AttentionOutput, AttentionPlan, Bf16};
use sepo_kernels::{
    AttentionForward, AttentionGrads, AttentionLayout, AttentionShape, Queries, Segments, attention,
    attention_backward,
};

/// Each value is off by rounding to `T` of what it sums, relative to the largest
#[track_caller]
fn assert_near<T: Rounded>(what: &str, actual: &[T], expected: &[f32], roundings: f64) {
    assert_eq!(actual.len(), expected.len());
    let scale = expected.iter().fold(1.0_f64, |scale, x| scale.max(f64::from(x.abs())));
    for (i, (actual, &expected)) in floats(actual).iter().zip(expected).enumerate() {
        let error = (f64::from(*actual) - f64::from(expected)).abs();
        let bound = (roundings * T::EPSILON + 2e-5) * scale;
        assert!(error <= bound, "{what} {i} is {actual}, expected {expected} within {bound}");
    }
}

fn compare<T: Rounded>(on: &Machine, layout: AttentionLayout<'_>, shape: AttentionShape, seed: u64) {
    let n_tokens = layout.segments.n_tokens();
    let n_queries = if let Queries::At(tokens) = layout.queries { tokens.len() } else { n_tokens };
    let (n_q, n_kv) =
        (n_queries * shape.n_heads * shape.head_dim, n_tokens * shape.n_kv_heads * shape.head_dim);
    let (q, k, v) =
        (values::<T>(seed, n_q, 2.0), values::<T>(seed + 1, n_kv, 2.0), values::<T>(seed + 2, n_kv, 1.0));
    let dout = values::<T>(seed + 3, n_q, 1.0);
    let plan = on.place(AttentionPlan::new(layout, shape.window));
    let (at_q, at_k, at_v, at_dout) = (on.memory(&q), on.memory(&k), on.memory(&v), on.memory(&dout));
    let input = AttentionInput { q: at_q.slice(), k: at_k.slice(), v: at_v.slice(), shape };
    let n_rows = n_queries * shape.n_heads;
    let (mut at_out, mut at_lse) = (on.garbage::<T>(n_q), on.garbage::<f32>(n_rows));
    cuda::attention(on, input, plan.view(), at_out.slice_mut(), at_lse.slice_mut()).expect("a launch");

    let (q, k, v, dout) = (floats(&q), floats(&k), floats(&v), floats(&dout));
    let (mut out, mut lse) = (vec![0.0; n_q], vec![0.0; n_rows]);
    attention(&q, &k, &v, layout, shape, &mut out, &mut lse);
    assert_near("out", &at_out.read(), &out, 4.0);
    assert_near("lse", &at_lse.read(), &lse, 1.0);

    // The backward pass from the CPU's result: what is compared is one step.
    let rounded: Vec<T> = out.iter().map(|&x| T::of(x)).collect();
    let (at_out, at_lse) = (on.memory(&rounded), on.memory(&lse));
    let (mut at_dq, mut at_dk, mut at_dv) =
        (on.garbage::<T>(n_q), on.garbage::<T>(n_kv), on.garbage::<T>(n_kv));
    let mut delta = on.garbage(n_rows);
    let output = AttentionOutput { out: at_out.slice(), lse: at_lse.slice(), dout: at_dout.slice() };
    let grads = cuda::AttentionGrads {
        dq: at_dq.slice_mut(),
        dk: at_dk.slice_mut(),
        dv: at_dv.slice_mut(),
        delta: delta.slice_mut(),
    };
    cuda::attention_backward(on, input, plan.view(), output, grads).expect("a launch");
    let (mut dq, mut dk, mut dv) = (vec![0.0; n_q], vec![0.0; n_kv], vec![0.0; n_kv]);
    let forward = AttentionForward { q: &q, k: &k, v: &v, out: &floats(&rounded), lse: &lse };
    let grads = AttentionGrads { dq: &mut dq, dk: &mut dk, dv: &mut dv };
    attention_backward(forward, &dout, layout, shape, grads);
    assert_near("dq", &at_dq.read(), &dq, 4.0);
    assert_near("dk", &at_dk.read(), &dk, 4.0);
    assert_near("dv", &at_dv.read(), &dv, 4.0);
}

fn layout(rng: &mut ChaCha8Rng, most: usize) -> Segments {
    let n_segments = rng.random_range(1..6);
    let (mut offsets, mut parents) = (vec![0], vec![]);
    for i in 0..n_segments {
        let length = [0, 1, rng.random_range(0..=most), rng.random_range(0..=most)][rng.random_range(0..4)];
        offsets.push(offsets[i] + length);
        // One in `i + 1` is a root; the others continue an earlier segment.
        parents.push(rng.random_range(0..=i).checked_sub(1));
    }
    Segments::new(offsets, parents).expect("parents come first")
}

fn shape(rng: &mut ChaCha8Rng, head_dims: &[usize]) -> AttentionShape {
    let n_kv_heads = rng.random_range(1..3);
    let window = rng.random_bool(0.4).then(|| rng.random_range(1..100));
    AttentionShape {
        n_heads: n_kv_heads * rng.random_range(1..3),
        n_kv_heads,
        head_dim: head_dims[rng.random_range(0..head_dims.len())],
        window,
    }
}

fn compare_random<T: Rounded>(on: &Machine, n_cases: u64, most: usize, head_dims: &[usize]) {
    // Threads of the operating system take a thousand times as long to wait for one another.
    let (n_cases, most) = if std::env::var_os("SEPO_TSAN").is_some() {
        (n_cases.min(2), most.min(40))
    } else {
        (n_cases, most)
    };
    for seed in 0..n_cases {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let segments = layout(&mut rng, most);
        let shape = shape(&mut rng, head_dims);
        let asking: Vec<u32> = (0..segments.n_tokens() as u32).filter(|_| rng.random_bool(0.6)).collect();
        let queries = if rng.random_bool(0.5) { Queries::All } else { Queries::At(&asking) };
        compare::<T>(on, AttentionLayout { segments: &segments, queries }, shape, 1000 * seed);
    }
}

#[test]
fn the_plain_form_agrees_with_the_cpu_form() {
    for on in machines() {
        compare_random::<f32>(&on, 8, 90, &[1, 8, 33, 64, 128]);
        compare_random::<Bf16>(&on, 4, 60, &[5, 20, 40]);
    }
}

/// bf16 weights and sums of bf16 products: what tensor cores make of it, with lanes in the places that PTX gives them
#[test]
fn the_tensor_core_form_agrees_with_the_cpu_form() {
    for on in machines() {
        compare_random::<Bf16>(&on, 10, 90, &[32, 64]);
        compare_random::<Bf16>(&on, 5, 150, &[80, 96, 128]);
    }
}
