//! Rotary tables, embeddings, layouts and the optimizer

mod naive;

use naive::{assert_close, cases, layouts, values, wide};
use proptest::prelude::*;
use sepo_kernels::*;

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn positions_continue_from_the_parents_end(segments in layouts(9)) {
        let positions = segments.positions();
        prop_assert_eq!(positions.len(), segments.n_tokens());
        for i in 0..segments.n_segments() {
            let (mut start, mut chain) = (0, vec![]);
            let mut parent = segments.parent(i);
            while let Some(segment) = parent {
                chain.insert(0, segment);
                start += segments.range(segment).len();
                parent = segments.parent(segment);
            }
            prop_assert_eq!(segments.ancestors(i), chain);
            prop_assert_eq!(segments.start_position(i), start);
            for (offset, token) in segments.range(i).enumerate() {
                prop_assert_eq!(positions[token] as usize, start + offset);
            }
        }
    }

    #[test]
    fn rotation_is_that_of_complex_numbers(
        (n_heads, half, rest) in (1_usize..4, 0_usize..6, 0_usize..5),
        positions in prop::collection::vec(0_u32..500, 0..20),
        seed in 0_u64..1000,
    ) {
        let head_dim = 2 * half + rest;
        let config = RotaryConfig { rotary_dim: 2 * half, theta: 1e4, scaling: RotaryScaling::None };
        let table = RotaryTable::new(&config, 500);
        let before = values(seed, positions.len() * n_heads * head_dim, 1.0);
        let mut x = before.clone();
        rotary(&mut x, &positions, &table, n_heads, head_dim);
        let mut expected = wide(&before);
        for (t, &position) in positions.iter().enumerate() {
            for head in 0..n_heads {
                let values = &mut expected[(t * n_heads + head) * head_dim..][..head_dim];
                for i in 0..half {
                    let angle = f64::from(position) * 1e4_f64.powf(-(i as f64) / half as f64);
                    let (a, b) = (values[i], values[i + half]);
                    values[i] = a * angle.cos() - b * angle.sin();
                    values[i + half] = b * angle.cos() + a * angle.sin();
                }
            }
        }
        // The angle itself is an f32 of up to 500.
        assert_close(&x, &expected, 1e-4);
        rotary_backward(&mut x, &positions, &table, n_heads, head_dim);
        assert_close(&x, &wide(&before), 1e-6);
    }

    #[test]
    fn embedding_picks_rows_and_returns_their_gradients(
        ids in prop::collection::vec(0_u32..700, 0..60),
        d_model in 1_usize..40,
        seed in 0_u64..1000,
    ) {
        let table = values(seed, 700 * d_model, 1.0);
        let mut out = vec![f32::NAN; ids.len() * d_model];
        embedding(&table, &ids, d_model, &mut out);
        let mut expected = vec![0.0_f32; table.len()];
        for (t, &id) in ids.iter().enumerate() {
            for i in 0..d_model {
                prop_assert_eq!(out[t * d_model + i], table[id as usize * d_model + i]);
                expected[id as usize * d_model + i] += out[t * d_model + i];
            }
        }
        let mut dtable = vec![0.0; table.len()];
        embedding_backward(&ids, &out, d_model, &mut dtable);
        prop_assert_eq!(dtable, expected);
    }
}

#[test]
fn names_what_is_wrong_with_a_layout() {
    let bad = |offsets, parents| Segments::new(offsets, parents).expect_err("a bad layout");
    assert_eq!(bad(vec![], vec![]), KernelError::OffsetsEmpty);
    assert_eq!(bad(vec![1, 2], vec![None]), KernelError::OffsetsStart { first: 1 });
    assert_eq!(
        bad(vec![0, 4, 3], vec![None, None]),
        KernelError::OffsetsDecrease { segment: 1, start: 4, end: 3 }
    );
    assert_eq!(bad(vec![0, 4], vec![]), KernelError::SegmentEntries { n_segments: 1, n_entries: 0 });
    assert_eq!(
        bad(vec![0, 4, 5], vec![None, Some(1)]),
        KernelError::ParentNotBefore { segment: 1, parent: 1 }
    );
    assert_eq!(bad(vec![0, 1 << 40], vec![None]), KernelError::TooMany { n_values: 1 << 40 });
    assert_eq!(Segments::single(5), Segments::new(vec![0, 5], vec![None]).expect("a layout"));
}

#[test]
fn llama_3_keeps_high_frequencies_and_divides_low_ones() {
    let scaling = RotaryScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position: 8192,
    };
    let plain = RotaryConfig { rotary_dim: 128, theta: 5e5, scaling: RotaryScaling::None };
    let scaled = RotaryTable::new(&RotaryConfig { scaling, ..plain.clone() }, 2);
    let plain = RotaryTable::new(&plain, 2);
    // Sines of small angles are the angles: the frequencies themselves, at position 1.
    let ratio = |i: usize| plain.sin(1)[i] / scaled.sin(1)[i];
    assert!((0..=28).all(|i| ratio(i) == 1.0), "wavelengths below 2048 are kept");
    assert!((29..=34).all(|i| ratio(i) > 1.0 && ratio(i) < 8.0), "wavelengths between are blended");
    assert!((35..64).all(|i| (ratio(i) - 8.0).abs() < 1e-5), "wavelengths above 8192 are divided by 8");
}

#[test]
fn adamw_agrees_with_its_formula_over_many_steps() {
    let n = 50;
    let (mut params, mut m, mut v) = (values(1, n, 1.0), vec![0.0; n], vec![0.0; n]);
    let (mut params64, mut m64, mut v64) = (wide(&params), vec![0.0; n], vec![0.0; n]);
    for t in 1..=30_u64 {
        let mut grads = values(100 + t, n, if t % 2 == 0 { 1e-3 } else { 10.0 });
        let step = AdamWStep {
            learning_rate: 1e-2,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.1,
            gradient_factor: 0.25,
            step: t,
        };
        adamw(&mut params, &grads, &mut m, &mut v, &step);
        grads.iter_mut().for_each(|grad| *grad *= 0.25);
        let (beta1, beta2) = (f64::from(0.9_f32), f64::from(0.999_f32));
        let (correction1, correction2) = (1.0 - beta1.powf(t as f64), 1.0 - beta2.powf(t as f64));
        for (i, g) in wide(&grads).into_iter().enumerate() {
            m64[i] = beta1 * m64[i] + (1.0 - beta1) * g;
            v64[i] = beta2 * v64[i] + (1.0 - beta2) * g * g;
            params64[i] *= 1.0 - 1e-3;
            params64[i] -= 1e-2 * (m64[i] / correction1) / ((v64[i] / correction2).sqrt() + 1e-8);
        }
        assert_close(&params, &params64, 1e-6);
    }
}

#[test]
fn a_learning_rate_of_zero_changes_no_parameter() {
    let before = values(1, 100, 3.0);
    let mut params = before.clone();
    let step = AdamWStep {
        learning_rate: 0.0,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.1,
        gradient_factor: 1.0,
        step: 1,
    };
    adamw(&mut params, &values(2, 100, 1.0), &mut [0.0; 100], &mut [0.0; 100], &step);
    assert_eq!(params, before);
}

#[test]
fn a_norm_beyond_f32_is_still_a_number() {
    let norm = sum_of_squares(&vec![1e30; 40_000]) / f64::from(1e30_f32).powi(2);
    assert!((norm - 40_000.0).abs() < 1e-6);
    assert_eq!(sum_of_squares(&[]), 0.0);
    assert!(sum_of_squares(&[f32::NAN]).is_nan());
}

#[test]
#[should_panic(expected = "token 1 has id 2, the table has 2 rows")]
fn names_the_token_outside_the_table() {
    embedding(&[0.0; 2], &[0, 2], 1, &mut [0.0; 2]);
}
