//! AdamW on a device

use super::AdamWStep;
use super::cpu::Factors;
use crate::device::{Arg, Bf16, DeviceError, Executor, Kernel, Launch, Slice, SliceMut, Source, blocks_of};

pub(crate) static SOURCE: Source =
    Source { op: "adamw", text: include_str!("adamw.cu"), kernels: &["adamw_f32", "round_to_bf16"] };

const THREADS: u32 = 256;
/// Values of a thread
const EACH: usize = 8;

/// What a step changes
#[derive(Debug)]
pub struct AdamWState<'a> {
    /// master weights, `[n]`
    pub params: SliceMut<'a, f32>,
    /// their bf16 copies, `[n]`, which the next step computes with
    pub copies: Option<SliceMut<'a, Bf16>>,
    /// first moments, `[n]`
    pub m: SliceMut<'a, f32>,
    /// second moments, `[n]`
    pub v: SliceMut<'a, f32>,
}

/// As [`adamw`](crate::adamw) on the CPU, with the gradient's factor in device memory
///
/// `factor` is one value, as `clip_factor` leaves it; that of `step` is not looked at. Where it is not a number, nothing is
/// changed.
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where lengths differ or `step` is 0.
#[expect(unsafe_code, reason = "a launch")]
pub fn adamw(
    on: &impl Executor,
    state: AdamWState<'_>,
    grads: Slice<'_, f32>,
    factor: Slice<'_, f32>,
    step: &AdamWStep,
) -> Result<(), DeviceError> {
    let AdamWState { mut params, mut copies, mut m, mut v } = state;
    let n = params.len();
    assert_eq!((grads.len(), m.len(), v.len()), (n, n, n), "gradients and moments must match {n} parameters");
    assert!(copies.as_ref().is_none_or(|copies| copies.len() == n), "copies must match {n} parameters");
    assert_eq!(factor.len(), 1, "there is one factor");
    assert!(step.step > 0, "the first step is 1");
    if n == 0 {
        return Ok(());
    }
    let factors = Factors::new(step);
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: "adamw_f32" },
        grid: [blocks_of(n.div_ceil(EACH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::write(&mut params),                // float *params
            Arg::write_or_null(copies.as_mut()),    // bf16 *copies
            Arg::read(grads),                       // const float *grads
            Arg::write(&mut m),                     // float *m
            Arg::write(&mut v),                     // float *v
            Arg::read(factor),                      // const float *factor
            Arg::U64(n as u64),                     // u64 n
            Arg::F32(factors.keep),                 // float keep
            Arg::F32(factors.beta1),                // float beta1
            Arg::F32(factors.beta2),                // float beta2
            Arg::F32(factors.step_size),            // float step_size
            Arg::F32(factors.inv_root_correction2), // float inv_root_correction2
            Arg::F32(factors.eps),                  // float eps
        ],
    };
    // SAFETY: the list is the kernel's; each thread touches its own values of arrays of one length, and the one factor.
    unsafe { on.launch(&launch) }
}

/// Every value of `params`, rounded to bf16
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where the lengths differ.
#[expect(unsafe_code, reason = "a launch")]
pub fn round_to_bf16(
    on: &impl Executor,
    params: Slice<'_, f32>,
    mut copies: SliceMut<'_, Bf16>,
) -> Result<(), DeviceError> {
    let n = params.len();
    assert_eq!(copies.len(), n, "copies must match {n} parameters");
    if n == 0 {
        return Ok(());
    }
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: "round_to_bf16" },
        grid: [blocks_of(n.div_ceil(EACH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(params),       // const float *params
            Arg::write(&mut copies), // bf16 *copies
            Arg::U64(n as u64),      // u64 n
        ],
    };
    // SAFETY: the list is the kernel's; each thread touches its own values of arrays of one length.
    unsafe { on.launch(&launch) }
}
