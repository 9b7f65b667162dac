//! The gated activation on a device

use crate::device::{Arg, DeviceError, Executor, Float, Kernel, Launch, Slice, SliceMut, Source, blocks_of};
use crate::shape::{assert_shape, n_values};

pub(crate) static SOURCE: Source = Source {
    op: "swiglu",
    text: include_str!("swiglu.cu"),
    kernels: &["swiglu_f32", "swiglu_bf16", "swiglu_backward_f32", "swiglu_backward_bf16"],
};

const THREADS: u32 = 256;

/// As [`swiglu`](crate::swiglu) on the CPU, of rows in which gate and up stand side by side, as one product makes them
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `gate_up` | `[n_rows, 2 d]`: `d` values of the gate, then `d` of up |
/// | `out` | `[n_rows, d]` |
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
#[expect(unsafe_code, reason = "a launch")]
pub fn swiglu<T: Float>(
    on: &impl Executor,
    gate_up: Slice<'_, T>,
    mut out: SliceMut<'_, T>,
    d: usize,
) -> Result<(), DeviceError> {
    let n_rows = check(gate_up, out.len(), d);
    if n_rows == 0 {
        return Ok(());
    }
    let (gate, up) = (gate_up, gate_up.range(d..gate_up.len()));
    // SAFETY: rows of `gate` and `up` start 2 d apart, up's d values behind gate's, so that both end within `gate_up`.
    unsafe { forward(on, gate, up, &mut out, Rows { n_rows, d, stride: 2 * d }) }
}

/// As [`swiglu_backward`](crate::swiglu_backward) on the CPU, in place: `gate_up` becomes its gradient
///
/// Shapes as in [`swiglu`]; `dout` as `out`.
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape.
#[expect(unsafe_code, reason = "a launch")]
pub fn swiglu_backward<T: Float>(
    on: &impl Executor,
    gate_up: SliceMut<'_, T>,
    dout: Slice<'_, T>,
    d: usize,
) -> Result<(), DeviceError> {
    let n_rows = check(gate_up.as_slice(), dout.len(), d);
    if n_rows == 0 {
        return Ok(());
    }
    let (gate, up) = (gate_up.as_slice(), gate_up.as_slice().range(d..gate_up.len()));
    let gradients = [gate, up].map(|slice| Arg::Write(slice.pointer()));
    // SAFETY: as in the forward pass; `gate_up` is borrowed to be written.
    unsafe { backward(on, [gate, up, dout], gradients, Rows { n_rows, d, stride: 2 * d }) }
}

/// The same as [`swiglu`], of a gate and an up that are apart, as long as `out`
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where the lengths differ.
#[expect(unsafe_code, reason = "a launch")]
pub fn swiglu_apart<T: Float>(
    on: &impl Executor,
    gate: Slice<'_, T>,
    up: Slice<'_, T>,
    mut out: SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    assert_eq!((up.len(), out.len()), (gate.len(), gate.len()), "`up` and `out` must be as long as `gate`");
    if out.is_empty() {
        return Ok(());
    }
    let d = out.len();
    // SAFETY: all three are one row of d values.
    unsafe { forward(on, gate, up, &mut out, Rows { n_rows: 1, d, stride: d }) }
}

/// The gradients of [`swiglu_apart`]; all five are of one length
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where the lengths differ.
#[expect(unsafe_code, reason = "a launch")]
pub fn swiglu_apart_backward<T: Float>(
    on: &impl Executor,
    [gate, up, dout]: [Slice<'_, T>; 3],
    mut dgate: SliceMut<'_, T>,
    mut dup: SliceMut<'_, T>,
) -> Result<(), DeviceError> {
    for len in [up.len(), dout.len(), dgate.len(), dup.len()] {
        assert_eq!(len, gate.len(), "all must be as long as `gate`");
    }
    if gate.is_empty() {
        return Ok(());
    }
    let d = gate.len();
    let gradients = [Arg::write(&mut dgate), Arg::write(&mut dup)];
    // SAFETY: all five are one row of d values.
    unsafe { backward(on, [gate, up, dout], gradients, Rows { n_rows: 1, d, stride: d }) }
}

/// Rows of `d` values of gate and up, `stride` apart; those of the rest follow each other
struct Rows {
    n_rows: usize,
    d: usize,
    stride: usize,
}

/// # Safety
/// `gate` and `up` must have such rows, and `out` as many values.
#[expect(unsafe_code, reason = "a launch")]
unsafe fn forward<T: Float>(
    on: &impl Executor,
    gate: Slice<'_, T>,
    up: Slice<'_, T>,
    out: &mut SliceMut<'_, T>,
    Rows { n_rows, d, stride }: Rows,
) -> Result<(), DeviceError> {
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("swiglu_f32", "swiglu_bf16") },
        grid: [blocks_of(n_rows * d.div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(gate),    // const T *gate
            Arg::read(up),      // const T *up
            Arg::write(out),    // T *out
            Arg::count(n_rows), // u32 n_rows
            Arg::count(d),      // u32 d
            Arg::count(stride), // u32 stride
        ],
    };
    // SAFETY: the list is the kernel's; rows are the caller's, and each thread writes values of `out` of its own.
    unsafe { on.launch(&launch) }
}

/// # Safety
/// `gate`, `up` and what is written must have such rows, which may be written, and `dout` as many values. A gradient may be where
/// its own values are.
#[expect(unsafe_code, reason = "a launch")]
unsafe fn backward<T: Float>(
    on: &impl Executor,
    [gate, up, dout]: [Slice<'_, T>; 3],
    [dgate, dup]: [Arg; 2],
    Rows { n_rows, d, stride }: Rows,
) -> Result<(), DeviceError> {
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("swiglu_backward_f32", "swiglu_backward_bf16") },
        grid: [blocks_of(n_rows * d.div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::read(gate),    // const T *gate
            Arg::read(up),      // const T *up
            Arg::read(dout),    // const T *dout
            dgate,              // T *dgate
            dup,                // T *dup
            Arg::count(n_rows), // u32 n_rows
            Arg::count(d),      // u32 d
            Arg::count(stride), // u32 stride
        ],
    };
    // SAFETY: the list is the kernel's; rows are the caller's, and each thread reads its values before it writes them and touches
    // no other's.
    unsafe { on.launch(&launch) }
}

fn check<T: Float>(gate_up: Slice<'_, T>, out_len: usize, d: usize) -> usize {
    let n_rows = out_len.checked_div(d).unwrap_or(0);
    assert_eq!(out_len, n_rows * d, "`out` must be rows of {d}");
    assert_shape("`gate_up`", gate_up.len(), [n_rows, n_values([2, d])]);
    n_rows
}
