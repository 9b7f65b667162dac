//! What reads rows of a table: embedding and rotary embedding

use crate::machine::{Machine, machines, said_by};
use crate::rounding::{Rounded, assert_rounded, floats, values};
use sepo_kernels::cuda::{self, Bf16, EmbeddingPlan, RotaryAngles, RotaryPlan};
use sepo_kernels::{
    RotaryConfig, RotaryScaling, RotaryTable, embedding, embedding_backward, rotary, rotary_backward,
};

fn compare_embedding<T: Rounded>(on: &Machine, ids: &[u32], vocab: usize, d_model: usize) {
    let n = ids.len() * d_model;
    let (table, dout) = (values::<T>(1, vocab * d_model, 1.0), values::<T>(2, n, 1.0));
    let (mut out, mut dtable) = (vec![0.0; n], crate::naive::values(3, vocab * d_model, 1.0));
    let mut at_dtable = on.memory(&dtable);
    embedding(&floats(&table), ids, d_model, &mut out);
    embedding_backward(ids, &floats(&dout), d_model, &mut dtable);
    let (at_table, plan) = (on.memory(&table), on.place(EmbeddingPlan::new(ids, vocab)));
    let (at_dout, mut at_out) = (on.memory(&dout), on.garbage::<T>(n));
    cuda::embedding(on, at_table.slice(), plan.view(), d_model, at_out.slice_mut()).expect("a launch");
    assert_eq!(floats(&at_out.read()), out);
    cuda::embedding_backward(on, plan.view(), at_dout.slice(), at_dtable.slice_mut()).expect("a launch");
    // The same sums in the same order: the same bits.
    assert_eq!(at_dtable.read(), dtable);
}

fn compare_added_rows<T: Rounded>(on: &Machine, positions: &[u32], n: usize, d_model: usize) {
    let (rows, x) = (values::<T>(1, positions.len() * d_model, 1.0), values::<T>(2, n * d_model, 1.0));
    let mut expected = floats(&x);
    for (position, row) in positions.iter().zip(floats(&rows).chunks_exact(d_model)) {
        let sums = &mut expected[*position as usize * d_model..][..d_model];
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let (at_rows, mut at_x) = (on.memory(&rows), on.memory(&x));
    let plan = on.place(EmbeddingPlan::new(positions, n));
    cuda::add_rows(on, at_rows.slice(), plan.view(), d_model, at_x.slice_mut()).expect("a launch");
    assert_rounded(&at_x.read(), &expected, 1e-7);
}

fn compare_rotary<T: Rounded>(on: &Machine, n_heads: usize, head_dim: usize, rotary_dim: usize) {
    let config = RotaryConfig { rotary_dim, theta: 10_000.0, scaling: RotaryScaling::None };
    let table = RotaryTable::new(&config, 50);
    let positions: Vec<u32> = (0..23).map(|token| token * 31 % 50).collect();
    let x = values::<T>(1, positions.len() * n_heads * head_dim, 1.0);
    let [cos, sin] = table.all().map(|values| on.memory(values));
    let at_positions = on.place(RotaryPlan::new(positions.clone()));
    let angles =
        RotaryAngles { cos: cos.slice(), sin: sin.slice(), rotary_dim, positions: at_positions.view() };
    let mut at_x = on.memory(&x);
    let mut expected = floats(&x);
    rotary(&mut expected, &positions, &table, n_heads, head_dim);
    cuda::rotary(on, at_x.slice_mut(), angles, n_heads, head_dim).expect("a launch");
    assert_rounded(&at_x.read(), &expected, 1e-6);
    let mut expected = floats(&x);
    let mut at_x = on.memory(&x);
    rotary_backward(&mut expected, &positions, &table, n_heads, head_dim);
    cuda::rotary_backward(on, at_x.slice_mut(), angles, n_heads, head_dim).expect("a launch");
    assert_rounded(&at_x.read(), &expected, 1e-6);
}

#[test]
fn embedding_agrees_with_the_cpu_form() {
    let ids: Vec<u32> = (0..200).map(|token| token * token % 37).collect();
    for on in machines() {
        for d_model in [1, 5, 64] {
            compare_embedding::<f32>(&on, &ids, 40, d_model);
            compare_embedding::<Bf16>(&on, &ids, 40, d_model);
        }
        compare_embedding::<f32>(&on, &[], 40, 8);
    }
}

#[test]
fn added_rows_agree_with_a_loop() {
    for on in machines() {
        for d_model in [1, 5, 64] {
            compare_added_rows::<f32>(&on, &[3, 0, 7, 8], 9, d_model);
            compare_added_rows::<Bf16>(&on, &[3, 0, 7, 8], 9, d_model);
        }
        compare_added_rows::<f32>(&on, &[], 9, 8);
        let (rows, mut x) = (on.memory(&[1.0_f32; 2]), on.memory(&[1.0_f32; 3]));
        let plan = on.place(EmbeddingPlan::new(&[1, 1], 3));
        let said = said_by(|| cuda::add_rows(&on, rows.slice(), plan.view(), 1, x.slice_mut()));
        assert!(said.contains("rows are added to different rows"), "{said}");
    }
}

#[test]
fn rotary_embedding_agrees_with_the_cpu_form() {
    for on in machines() {
        for (n_heads, head_dim, rotary_dim) in [(1, 2, 2), (3, 10, 6), (2, 64, 64), (4, 32, 8), (2, 48, 48)] {
            compare_rotary::<f32>(&on, n_heads, head_dim, rotary_dim);
            compare_rotary::<Bf16>(&on, n_heads, head_dim, rotary_dim);
        }
    }
}

/// In a release build the product of the sizes wrapped to 4, and rows far beyond `x` were turned.
#[test]
fn sizes_whose_product_wraps_are_refused() {
    let (n_heads, head_dim) = ((1 << 31) - (1 << 16) + 1, (1 << 31) + (1 << 16) + 1);
    for on in machines() {
        let (cos, sin) = (on.memory(&[1.0_f32]), on.memory(&[0.0_f32]));
        let (positions, mut x) = (on.place(RotaryPlan::new(vec![0; 4])), on.memory(&[1.0_f32; 4]));
        let angles =
            RotaryAngles { cos: cos.slice(), sin: sin.slice(), rotary_dim: 2, positions: positions.view() };
        let said = said_by(|| cuda::rotary(&on, x.slice_mut(), angles, n_heads, head_dim));
        assert!(said.contains("`x` must be [4, 2147418113, 2147549185]"), "{said}");
    }
}

/// Rows beyond the table were read.
#[test]
fn a_table_with_fewer_rows_than_the_plan_says_is_refused() {
    for on in machines() {
        let (table, mut out) = (on.memory(&[1.0_f32; 6]), on.memory(&[0.0_f32; 4]));
        let plan = on.place(EmbeddingPlan::new(&[0, 3], 4));
        let said = said_by(|| cuda::embedding(&on, table.slice(), plan.view(), 2, out.slice_mut()));
        assert!(said.contains("`table` must be [4, 2], and has 6 values"), "{said}");

        let (cos, sin) = (on.memory(&[1.0_f32; 3]), on.memory(&[0.0_f32; 3]));
        let (plan, mut x) = (on.place(RotaryPlan::new(vec![0, 3])), on.memory(&[1.0_f32; 4]));
        let angles =
            RotaryAngles { cos: cos.slice(), sin: sin.slice(), rotary_dim: 2, positions: plan.view() };
        let said = said_by(|| cuda::rotary(&on, x.slice_mut(), angles, 1, 2));
        assert!(said.contains("`cos` must have 4 rows of 1"), "{said}");
    }
}
