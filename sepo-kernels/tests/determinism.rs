//! The same bits from pools of one, two and three threads

#![expect(clippy::cast_possible_truncation, reason = "test inputs are small")]

mod naive;

use naive::{values, wide};
use rayon::ThreadPoolBuilder;
use sepo_kernels::*;

/// Runs `f` on pools of different sizes and asserts that it returns the same bits
fn same_bits(f: impl Fn() -> Vec<f32> + Sync) {
    let on = |n_threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(n_threads).build().expect("a pool");
        pool.install(&f).into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let one = on(1);
    assert!(one.iter().all(|&bits| f32::from_bits(bits).is_finite()));
    assert_eq!(one, on(2));
    assert_eq!(one, on(3));
}

#[test]
fn linear_maps_do_not_depend_on_threads() {
    // The last is large enough for gemm to use several threads and to cut the summed dimension.
    for (n_rows, d_in, d_out) in [(1, 700, 500), (67, 33, 129), (300, 2100, 700)] {
        let shape = LinearShape { n_rows, d_in, d_out };
        let (x, weight) = (values(1, n_rows * d_in, 1.0), values(2, d_out * d_in, 1.0));
        let dy = values(3, n_rows * d_out, 1.0);
        same_bits(|| {
            let (mut y, mut dx) = (dy.clone(), x.clone());
            let mut dweight = weight.clone();
            linear(&x, &weight, &mut y, shape, Write::Add, Precision::F32);
            linear_backward_input(&dy, &weight, &mut dx, shape, Write::Overwrite, Precision::F32);
            linear_backward_weight(&x, &dy, &mut dweight, shape, Precision::F32);
            [y, dx, dweight].concat()
        });
    }
}

#[test]
fn log_probabilities_do_not_depend_on_threads() {
    let shape = HeadShape { n_hidden: 280, d_model: 64, vocab: 5000 };
    let (hidden, lm_head) = (values(1, 280 * 64, 1.0), values(2, 5000 * 64, 1.0));
    let targets = (0..280).map(|row| row * 17).collect();
    let rows = Rows::new((0..280).collect(), targets, 280, 5000).expect("in range");
    let dlogps = wide(&values(3, 280, 1.0));
    same_bits(|| {
        let mut scratch = HeadScratch::keeping(280 * 5000);
        let gathered = gather_logps(&hidden, &lm_head, &rows, shape, &mut scratch);
        let (mut dhidden, mut dlm_head) = (vec![0.0; hidden.len()], vec![0.0; lm_head.len()]);
        gather_logps_backward(
            &hidden,
            &lm_head,
            &rows,
            &gathered,
            &dlogps,
            &mut dhidden,
            &mut dlm_head,
            shape,
            &mut scratch,
        );
        let logps: Vec<f32> = gathered.logps.iter().map(|&logp| logp as f32).collect();
        [logps, dhidden, dlm_head].concat()
    });
}

#[test]
fn attention_does_not_depend_on_threads() {
    let segments =
        Segments::new(vec![0, 100, 170, 300, 301, 420], vec![None, Some(0), Some(0), None, Some(3)])
            .expect("a layout");
    let shape = AttentionShape { n_heads: 6, n_kv_heads: 3, head_dim: 32, window: None };
    let (n_q, n_kv) = (420 * 6 * 32, 420 * 3 * 32);
    let (q, k, v) = (values(1, n_q, 1.0), values(2, n_kv, 1.0), values(3, n_kv, 1.0));
    let dout = values(4, n_q, 1.0);
    same_bits(|| {
        let (mut out, mut lse) = (vec![0.0; n_q], vec![0.0; 420 * 6]);
        attention(&q, &k, &v, AttentionLayout::all(&segments), shape, &mut out, &mut lse);
        let (mut dq, mut dk, mut dv) = (vec![0.0; n_q], vec![0.0; n_kv], vec![0.0; n_kv]);
        let forward = AttentionForward { q: &q, k: &k, v: &v, out: &out, lse: &lse };
        let grads = AttentionGrads { dq: &mut dq, dk: &mut dk, dv: &mut dv };
        attention_backward(forward, &dout, AttentionLayout::all(&segments), shape, grads);
        [out, lse, dq, dk, dv].concat()
    });
}

#[test]
fn sums_over_rows_do_not_depend_on_threads() {
    let (n_rows, d) = (1000, 96);
    let (x, dy) = (values(1, n_rows * d, 1.0), values(2, n_rows * d, 1.0));
    let (weight, ids) = (values(3, d, 1.0), (0..1000).map(|i| i * i % 37).collect::<Vec<u32>>());
    same_bits(|| {
        let (mut y, mut dx) = (x.clone(), x.clone());
        let (mut inv_rms, mut mean) = (vec![0.0; n_rows], vec![0.0; n_rows]);
        let (mut dweight, mut dbias) = (weight.clone(), weight.clone());
        rms_norm(&x, &weight, 1e-6, &mut y, &mut inv_rms);
        rms_norm_backward(&x, &weight, &inv_rms, &dy, &mut dx, &mut dweight, Write::Overwrite);
        layer_norm(&x, &weight, &weight, 1e-6, &mut y, &mut mean, &mut inv_rms);
        let forward = LayerNormForward { x: &x, weight: &weight, mean: &mean, inv_std: &inv_rms };
        let grads = LayerNormGrads { dx: &mut dx, dweight: &mut dweight, dbias: &mut dbias };
        layer_norm_backward(forward, &dy, grads, Write::Add);
        bias_backward(&dy, &mut dbias);
        let mut dtable = vec![0.0; 37 * d];
        embedding_backward(&ids, &dy, d, &mut dtable);
        let norm = sum_of_squares(&x) as f32;
        [dx, dweight, dbias, dtable, vec![norm]].concat()
    });
}
