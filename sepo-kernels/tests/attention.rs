//! Attention against a full matrix of weights in `f64`

mod naive;

use naive::{assert_close, cases, layouts, values, wide};
use proptest::prelude::*;
use sepo_kernels::{
    AttentionForward, AttentionGrads, AttentionLayout, AttentionShape, Queries, Segments, attention,
    attention_backward,
};

fn shapes() -> impl Strategy<Value = AttentionShape> {
    let window = prop_oneof![Just(None), (1_usize..200).prop_map(Some)];
    (1_usize..4, 1_usize..4, prop_oneof![Just(1), Just(3), Just(8), Just(32)], window).prop_map(
        |(n_kv_heads, group, head_dim, window)| AttentionShape {
            n_heads: n_kv_heads * group,
            n_kv_heads,
            head_dim,
            window,
        },
    )
}

/// Runs both forms, forward and backward, and compares everything they return
fn compare(segments: &Segments, shape: AttentionShape, seed: u64, scale: f32) {
    let n_tokens = segments.n_tokens();
    let (n_q, n_kv) =
        (n_tokens * shape.n_heads * shape.head_dim, n_tokens * shape.n_kv_heads * shape.head_dim);
    let (q, k) = (values(seed, n_q, scale), values(seed + 1, n_kv, scale));
    let (v, dout) = (values(seed + 2, n_kv, 1.0), values(seed + 3, n_q, 1.0));
    let (mut out, mut lse) = (vec![f32::NAN; n_q], vec![f32::NAN; n_tokens * shape.n_heads]);
    attention(&q, &k, &v, AttentionLayout::all(segments), shape, &mut out, &mut lse);
    let (wide_q, wide_k, wide_v) = (wide(&q), wide(&k), wide(&v));
    let (expected_out, expected_lse) = naive::attention::forward(&wide_q, &wide_k, &wide_v, segments, shape);
    let tolerance = 4e-6 * f64::from(scale.max(1.0)).powi(2);
    assert_close(&out, &expected_out, tolerance);
    assert_close(&lse, &expected_lse, tolerance);

    let (mut dq, mut dk, mut dv) = (vec![f32::NAN; n_q], vec![f32::NAN; n_kv], vec![f32::NAN; n_kv]);
    let forward = AttentionForward { q: &q, k: &k, v: &v, out: &out, lse: &lse };
    let grads = AttentionGrads { dq: &mut dq, dk: &mut dk, dv: &mut dv };
    attention_backward(forward, &dout, AttentionLayout::all(segments), shape, grads);
    let expected = naive::attention::backward([&wide_q, &wide_k, &wide_v], &wide(&dout), segments, shape);
    assert_close(&dq, &expected.0, 2.0 * tolerance);
    assert_close(&dk, &expected.1, 2.0 * tolerance);
    assert_close(&dv, &expected.2, 2.0 * tolerance);
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn agrees_with_a_full_matrix(segments in layouts(30), shape in shapes(), seed in 0_u64..1000) {
        compare(&segments, shape, seed, 1.0);
    }

    #[test]
    fn agrees_with_a_full_matrix_where_scores_are_large(segments in layouts(20), shape in shapes(), seed in 0_u64..1000) {
        compare(&segments, shape, seed, 6.0);
    }
}

/// Rows of `len` values, those of the tokens in `at`
fn pick(x: &[f32], at: &[u32], len: usize) -> Vec<f32> {
    at.iter().flat_map(|token| &x[*token as usize * len..][..len]).copied().collect()
}

/// Runs both directions with every token asking and with some, where the others get no gradient
fn compare_some(segments: &Segments, shape: AttentionShape, seed: u64, asks: impl Fn(u32) -> bool) {
    let n_tokens = segments.n_tokens();
    let at: Vec<u32> = (0..u32::try_from(n_tokens).expect("a small layout")).filter(|t| asks(*t)).collect();
    let (d_q, n_kv) = (shape.n_heads * shape.head_dim, n_tokens * shape.n_kv_heads * shape.head_dim);
    let q = values(seed, n_tokens * d_q, 1.0);
    let (k, v) = (values(seed + 1, n_kv, 1.0), values(seed + 2, n_kv, 1.0));
    let mut dout = values(seed + 3, n_tokens * d_q, 1.0);
    for (token, dout) in (0..).zip(dout.chunks_exact_mut(d_q)) {
        if !asks(token) {
            dout.fill(0.0);
        }
    }
    let run = |q: &[f32], dout: &[f32], layout: AttentionLayout<'_>| {
        let (mut out, mut lse) = (vec![f32::NAN; q.len()], vec![f32::NAN; q.len() / shape.head_dim]);
        attention(q, &k, &v, layout, shape, &mut out, &mut lse);
        let (mut dq, mut dk, mut dv) = (vec![f32::NAN; q.len()], vec![f32::NAN; n_kv], vec![f32::NAN; n_kv]);
        let forward = AttentionForward { q, k: &k, v: &v, out: &out, lse: &lse };
        let grads = AttentionGrads { dq: &mut dq, dk: &mut dk, dv: &mut dv };
        attention_backward(forward, dout, layout, shape, grads);
        [out, lse, dq, dk, dv]
    };
    let all = run(&q, &dout, AttentionLayout::all(segments));
    let layout = AttentionLayout { segments, queries: Queries::At(&at) };
    let some = run(&pick(&q, &at, d_q), &pick(&dout, &at, d_q), layout);
    for (i, len) in [(0, d_q), (1, shape.n_heads), (2, d_q)] {
        assert_close(&some[i], &wide(&pick(&all[i], &at, len)), 4e-6);
    }
    assert_close(&some[3], &wide(&all[3]), 8e-6);
    assert_close(&some[4], &wide(&all[4]), 8e-6);
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn tokens_that_do_not_ask_change_nothing(
        segments in layouts(60), shape in shapes(), seed in 0_u64..1000, every in 1_u32..9, from in 0_u32..70
    ) {
        compare_some(&segments, shape, seed, |token| token >= from && (token * 7 + 3) % every == 0);
    }
}

#[test]
fn some_tokens_ask_across_tiles() {
    let segments =
        Segments::new(vec![0, 150, 430, 431, 600], vec![None, Some(0), Some(0), None]).expect("a layout");
    for window in [None, Some(64)] {
        let shape = AttentionShape { n_heads: 4, n_kv_heads: 2, head_dim: 16, window };
        compare_some(&segments, shape, 11, |token| token % 3 == 1);
        compare_some(&segments, shape, 11, |_| false);
        compare_some(&segments, shape, 11, |token| token == 429);
    }
}

#[test]
#[should_panic(expected = "queries must ascend")]
fn queries_ascend() {
    let shape = AttentionShape { n_heads: 1, n_kv_heads: 1, head_dim: 1, window: None };
    let layout = AttentionLayout { segments: &Segments::single(2), queries: Queries::At(&[1, 1]) };
    attention(&[0.0; 2], &[0.0; 2], &[0.0; 2], layout, shape, &mut [0.0; 2], &mut [0.0; 2]);
}

#[test]
fn agrees_with_a_full_matrix_across_tiles() {
    let segments = Segments::new(
        vec![0, 150, 230, 231, 300, 300, 331],
        vec![None, Some(0), Some(0), Some(1), None, Some(3)],
    )
    .expect("a layout");
    for window in [None, Some(1), Some(64), Some(129)] {
        let shape = AttentionShape { n_heads: 4, n_kv_heads: 2, head_dim: 16, window };
        compare(&segments, shape, 7, 1.0);
    }
}

#[test]
fn agrees_with_finite_differences() {
    let segments = Segments::new(vec![0, 3, 5, 6], vec![None, Some(0), Some(0)]).expect("a layout");
    let shape = AttentionShape { n_heads: 2, n_kv_heads: 1, head_dim: 3, window: Some(4) };
    let (n_q, n_kv) = (6 * 2 * 3, 6 * 3);
    let inputs = wide(&values(3, n_q + 2 * n_kv, 1.0));
    let dout = wide(&values(4, n_q, 1.0));
    let loss = |x: &[f64]| {
        let (q, kv) = x.split_at(n_q);
        let (k, v) = kv.split_at(n_kv);
        naive::dot(&naive::attention::forward(q, k, v, &segments, shape).0, &dout)
    };
    let expected = naive::finite_differences(&inputs, loss);
    let (q, kv) = inputs.split_at(n_q);
    let (k, v) = kv.split_at(n_kv);
    let (dq, dk, dv) = naive::attention::backward([q, k, v], &dout, &segments, shape);
    for (actual, expected) in [dq, dk, dv].concat().iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-8, "{actual} is not {expected}");
    }
}

#[test]
fn a_response_is_computed_as_if_it_followed_its_prompt_alone() {
    let shape = AttentionShape { n_heads: 2, n_kv_heads: 2, head_dim: 8, window: None };
    let tokens = |x: &[f32], ranges: [std::ops::Range<usize>; 2]| {
        [&x[ranges[0].clone()], &x[ranges[1].clone()]].concat()
    };
    let (q, k, v) = (values(1, 12 * 16, 2.0), values(2, 12 * 16, 2.0), values(3, 12 * 16, 2.0));
    let pair = Segments::new(vec![0, 5, 8, 12], vec![None, Some(0), Some(0)]).expect("a layout");
    let (mut out, mut lse) = (vec![0.0; 12 * 16], vec![0.0; 24]);
    attention(&q, &k, &v, AttentionLayout::all(&pair), shape, &mut out, &mut lse);

    let rejected = |x: &[f32]| tokens(x, [0..5 * 16, 8 * 16..12 * 16]);
    let (mut alone, mut lse) = (vec![0.0; 9 * 16], vec![0.0; 18]);
    let whole = Segments::single(9);
    attention(
        &rejected(&q),
        &rejected(&k),
        &rejected(&v),
        AttentionLayout::all(&whole),
        shape,
        &mut alone,
        &mut lse,
    );
    assert_close(&alone, &wide(&rejected(&out)), 1e-6);
}

#[test]
fn a_score_that_is_not_a_number_is_not_hidden() {
    let shape = AttentionShape { n_heads: 1, n_kv_heads: 1, head_dim: 1, window: None };
    let (mut out, mut lse) = ([0.0; 2], [0.0; 2]);
    attention(
        &[1.0, f32::NAN],
        &[1.0; 2],
        &[1.0; 2],
        AttentionLayout::all(&Segments::single(2)),
        shape,
        &mut out,
        &mut lse,
    );
    assert_eq!(out[0], 1.0);
    assert!(out[1].is_nan() && lse[1].is_nan());
}

#[test]
#[should_panic(expected = "3 heads over 2")]
fn refuses_heads_that_do_not_group() {
    let shape = AttentionShape { n_heads: 3, n_kv_heads: 2, head_dim: 1, window: None };
    attention(&[], &[], &[], AttentionLayout::all(&Segments::single(0)), shape, &mut [], &mut []);
}
