//! The gated activation on the CPU

use crate::simd::{Loop, MulAdd, sigmoid, vectorized};
use crate::tasks::TASK_LEN;
use rayon::prelude::*;

pub(super) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    let tasks = out.par_chunks_mut(TASK_LEN).zip(gate.par_chunks(TASK_LEN)).zip(up.par_chunks(TASK_LEN));
    tasks.for_each(|((out, gate), up)| vectorized(Forward { out, gate, up }));
}

/// One task's piece of the forward pass
struct Forward<'a> {
    out: &'a mut [f32],
    gate: &'a [f32],
    up: &'a [f32],
}

impl Loop for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { out, gate, up } = self;
        for ((out, &gate), up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate * sigmoid::<M>(gate) * up;
        }
    }
}

pub(super) fn swiglu_backward(gate: &[f32], up: &[f32], dout: &[f32], dgate: &mut [f32], dup: &mut [f32]) {
    let outputs = dgate.par_chunks_mut(TASK_LEN).zip(dup.par_chunks_mut(TASK_LEN));
    let inputs = gate.par_chunks(TASK_LEN).zip(up.par_chunks(TASK_LEN)).zip(dout.par_chunks(TASK_LEN));
    outputs.zip(inputs).for_each(|((dgate, dup), ((gate, up), dout))| {
        vectorized(Backward { dgate, dup, gate, up, dout });
    });
}

/// One task's piece of the backward pass
struct Backward<'a> {
    dgate: &'a mut [f32],
    dup: &'a mut [f32],
    gate: &'a [f32],
    up: &'a [f32],
    dout: &'a [f32],
}

impl Loop for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<M: MulAdd>(self) {
        let Self { dgate, dup, gate, up, dout } = self;
        let inputs = gate.iter().zip(up).zip(dout);
        for ((dgate, dup), ((&gate, up), dout)) in dgate.iter_mut().zip(dup).zip(inputs) {
            let sigma = sigmoid::<M>(gate);
            // silu'(x) = sigma (1 + x (1 - sigma))
            *dgate = dout * up * sigma * (1.0 + gate * (1.0 - sigma));
            *dup = dout * gate * sigma;
        }
    }
}
