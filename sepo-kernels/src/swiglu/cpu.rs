//! The gated activation on the CPU

use crate::simd::{Loop, MulAdd, sigmoid, vectorized};
use crate::tasks::rows_per_task;
use rayon::prelude::*;

pub(super) fn swiglu(gate_up: &[f32], out: &mut [f32], d: usize) {
    if out.is_empty() {
        return;
    }
    let n = rows_per_task(d) * d;
    let tasks = out.par_chunks_mut(n).zip(gate_up.par_chunks(2 * n));
    tasks.for_each(|(out, gate_up)| vectorized(Forward { gate_up, out, d }));
}

/// One task's rows of the forward pass
struct Forward<'a> {
    gate_up: &'a [f32],
    out: &'a mut [f32],
    d: usize,
}

impl Loop for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { gate_up, out, d } = self;
        for (out, gate_up) in out.chunks_exact_mut(d).zip(gate_up.chunks_exact(2 * d)) {
            let (gate, up) = gate_up.split_at(d);
            for ((out, &gate), up) in out.iter_mut().zip(gate).zip(up) {
                *out = gate * sigmoid::<M>(gate) * up;
            }
        }
    }
}

pub(super) fn swiglu_backward(gate_up: &[f32], dout: &[f32], dgate_up: &mut [f32], d: usize) {
    if dout.is_empty() {
        return;
    }
    let n = rows_per_task(d) * d;
    let inputs = gate_up.par_chunks(2 * n).zip(dout.par_chunks(n));
    dgate_up.par_chunks_mut(2 * n).zip(inputs).for_each(|(dgate_up, (gate_up, dout))| {
        vectorized(Backward { gate_up, dout, dgate_up, d });
    });
}

/// One task's rows of the backward pass
struct Backward<'a> {
    gate_up: &'a [f32],
    dout: &'a [f32],
    dgate_up: &'a mut [f32],
    d: usize,
}

impl Loop for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { gate_up, dout, dgate_up, d } = self;
        let inputs = gate_up.chunks_exact(2 * d).zip(dout.chunks_exact(d));
        for (dgate_up, (gate_up, dout)) in dgate_up.chunks_exact_mut(2 * d).zip(inputs) {
            let ((dgate, dup), (gate, up)) = (dgate_up.split_at_mut(d), gate_up.split_at(d));
            let inputs = gate.iter().zip(up).zip(dout);
            for ((dgate, dup), ((&gate, up), dout)) in dgate.iter_mut().zip(dup).zip(inputs) {
                let sigma = sigmoid::<M>(gate);
                // silu'(x) = sigma (1 + x (1 - sigma))
                *dgate = dout * up * sigma * (1.0 + gate * (1.0 - sigma));
                *dup = dout * gate * sigma;
            }
        }
    }
}
