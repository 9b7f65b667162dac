//! Claim: without a matrix of all logits the forward pass is no slower than with one; forward and backward together pay
//! for computing the logits twice, four products where the baseline needs three
//!
//! Baseline: one product for all logits, then two passes over each row; backward from the kept logits.

#[path = "../tests/naive/mod.rs"]
mod naive;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use naive::{values, wide};
use rayon::prelude::*;
use sepo_kernels::{
    HeadScratch, HeadShape, LinearShape, Precision, Rows, Write, gather_logps, gather_logps_backward, linear,
    linear_backward_input, linear_backward_weight,
};
use std::hint::black_box;

const D_MODEL: usize = 512;

struct Case {
    hidden: Vec<f32>,
    lm_head: Vec<f32>,
    rows: Rows,
    dlogps: Vec<f64>,
    shape: HeadShape,
}

impl Case {
    /// One target a hidden row; hidden row 0 is an outlier with logits of around ±80
    fn new(n_rows: usize, vocab: usize) -> Self {
        let mut hidden = values(1, n_rows * D_MODEL, 1.0);
        hidden[..D_MODEL].iter_mut().for_each(|x| *x *= 20.0);
        let hidden_rows = (0..n_rows).map(|row| u32::try_from(row).expect("small")).collect();
        let targets = (0..n_rows).map(|row| u32::try_from(row * 7919 % vocab).expect("small")).collect();
        Self {
            hidden,
            lm_head: values(2, vocab * D_MODEL, 0.2),
            rows: Rows::new(hidden_rows, targets, n_rows, vocab).expect("in range"),
            dlogps: wide(&values(3, n_rows, 1.0)),
            shape: HeadShape { n_hidden: n_rows, d_model: D_MODEL, vocab },
        }
    }

    fn linear_shape(&self) -> LinearShape {
        LinearShape { n_rows: self.shape.n_hidden, d_in: D_MODEL, d_out: self.shape.vocab }
    }

    fn all_logits(&self) -> (Vec<f32>, Vec<f64>) {
        let vocab = self.shape.vocab;
        let mut logits = vec![0.0; self.shape.n_hidden * vocab];
        linear(
            &self.hidden,
            &self.lm_head,
            &mut logits,
            self.linear_shape(),
            Write::Overwrite,
            Precision::F32,
        );
        let lse = logits.par_chunks(vocab).map(|row| {
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            f64::from(max) + row.iter().map(|x| f64::from((x - max).exp())).sum::<f64>().ln()
        });
        let lse = lse.collect();
        (logits, lse)
    }

    fn baseline(&self) -> Vec<f64> {
        let (logits, lse) = self.all_logits();
        let rows = logits.chunks(self.shape.vocab).zip(lse).zip(self.rows.targets());
        rows.map(|((row, lse), &target)| f64::from(row[target as usize]) - lse).collect()
    }

    #[expect(clippy::cast_possible_truncation, reason = "gradients are f32")]
    fn baseline_backward(&self) -> (Vec<f32>, Vec<f32>) {
        let (mut logits, lse) = self.all_logits();
        let rows =
            logits.par_chunks_mut(self.shape.vocab).zip(lse).zip(self.rows.targets()).zip(&self.dlogps);
        rows.for_each(|(((row, lse), &target), &dlogp)| {
            row.iter_mut().for_each(|x| *x = -(dlogp as f32) * (*x - lse as f32).exp());
            row[target as usize] += dlogp as f32;
        });
        let (mut dhidden, mut dlm_head) = (vec![0.0; self.hidden.len()], vec![0.0; self.lm_head.len()]);
        linear_backward_input(
            &logits,
            &self.lm_head,
            &mut dhidden,
            self.linear_shape(),
            Write::Overwrite,
            Precision::F32,
        );
        linear_backward_weight(&self.hidden, &logits, &mut dlm_head, self.linear_shape(), Precision::F32);
        (dhidden, dlm_head)
    }

    fn fused(&self) -> Vec<f64> {
        gather_logps(&self.hidden, &self.lm_head, &self.rows, self.shape, &mut HeadScratch::default()).logps
    }

    fn fused_backward(&self, scratch: &mut HeadScratch) -> (Vec<f32>, Vec<f32>) {
        let &Self { ref hidden, ref lm_head, ref rows, ref dlogps, shape } = self;
        let gathered = gather_logps(hidden, lm_head, rows, shape, scratch);
        let (mut dhidden, mut dlm_head) = (vec![0.0; hidden.len()], vec![0.0; lm_head.len()]);
        gather_logps_backward(
            hidden,
            lm_head,
            rows,
            &gathered,
            dlogps,
            &mut dhidden,
            &mut dlm_head,
            shape,
            scratch,
        );
        (dhidden, dlm_head)
    }
}

fn bench(criterion: &mut Criterion) {
    for (name, vocab) in [("tinyllama_32000", 32_000), ("pythia_50304", 50_304)] {
        let n_rows = 512;
        let case = Case::new(n_rows, vocab);
        for (fused, baseline) in case.fused().iter().zip(case.baseline()) {
            assert!((fused - baseline).abs() < 1e-3, "{fused} is not {baseline}");
        }
        let (fused, baseline) = (case.fused_backward(&mut HeadScratch::default()), case.baseline_backward());
        naive::assert_close(&fused.0, &wide(&baseline.0), 1e-4);
        naive::assert_close(&fused.1, &wide(&baseline.1), 1e-4);

        let mut group = criterion.benchmark_group(format!("gather_logps/{name}"));
        group.sample_size(10).throughput(Throughput::Elements(n_rows as u64));
        group.bench_function(format!("forward/fused/{n_rows}"), |b| b.iter(|| black_box(&case).fused()));
        group.bench_function(format!("forward/all_logits/{n_rows}"), |b| {
            b.iter(|| black_box(&case).baseline())
        });
        for (form, max_kept) in [("fused", 0), ("fused_kept", n_rows * vocab)] {
            let mut scratch = HeadScratch::keeping(max_kept);
            group.bench_function(format!("both/{form}/{n_rows}"), |b| {
                b.iter(|| black_box(&case).fused_backward(&mut scratch));
            });
        }
        group.bench_function(format!("both/all_logits/{n_rows}"), |b| {
            b.iter(|| black_box(&case).baseline_backward());
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
