//! Rotary position embedding on a device

use super::plan::RotaryPlan;
use crate::device::{
    Arg, DeviceError, Executor, Float, Kernel, Launch, Placed, Slice, SliceMut, Source, blocks_of,
};
use crate::shape::{assert_shape, n_values};

pub(crate) static SOURCE: Source =
    Source { op: "rotary", text: include_str!("rotary.cu"), kernels: &["rotary_f32", "rotary_bf16"] };

/// A [`RotaryTable`](crate::RotaryTable) in device memory, and the positions of a batch
#[derive(Clone, Copy, Debug)]
pub struct RotaryAngles<'a> {
    /// cosines, `[n_positions, rotary_dim / 2]`
    pub cos: Slice<'a, f32>,
    /// sines, of the same shape
    pub sin: Slice<'a, f32>,
    /// values of a head that are turned
    pub rotary_dim: usize,
    /// position of each token, below the table's number of positions
    pub positions: Placed<'a, RotaryPlan>,
}

/// As [`rotary`](crate::rotary) on the CPU, in place of `x`, `[n_tokens, n_heads, head_dim]`
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// Where a slice does not have its shape, heads are narrower than `rotary_dim`, or the table has fewer positions than the
/// plan.
pub fn rotary<T: Float>(
    on: &impl Executor,
    x: SliceMut<'_, T>,
    angles: RotaryAngles<'_>,
    n_heads: usize,
    head_dim: usize,
) -> Result<(), DeviceError> {
    turn(on, x, angles, [n_heads, head_dim], 1.0)
}

/// As [`rotary_backward`](crate::rotary_backward) on the CPU, in place of `dx`
///
/// # Errors
/// Where the launch fails.
///
/// # Panics
/// As [`rotary`].
pub fn rotary_backward<T: Float>(
    on: &impl Executor,
    dx: SliceMut<'_, T>,
    angles: RotaryAngles<'_>,
    n_heads: usize,
    head_dim: usize,
) -> Result<(), DeviceError> {
    turn(on, dx, angles, [n_heads, head_dim], -1.0)
}

#[expect(unsafe_code, reason = "a launch")]
fn turn<T: Float>(
    on: &impl Executor,
    mut x: SliceMut<'_, T>,
    angles: RotaryAngles<'_>,
    [n_heads, head_dim]: [usize; 2],
    direction: f32,
) -> Result<(), DeviceError> {
    let RotaryAngles { cos, sin, rotary_dim, positions } = angles;
    let (plan, positions) = (positions.plan(), positions.words());
    let (n_tokens, half) = (positions.len(), rotary_dim / 2);
    assert_shape("`x`", x.len(), [n_tokens, n_heads, head_dim]);
    assert!(rotary_dim.is_multiple_of(2) && rotary_dim <= head_dim, "{rotary_dim} values of {head_dim}");
    assert!(half == 0 || cos.len().is_multiple_of(half), "`cos` must be rows of {half}");
    assert_eq!(sin.len(), cos.len(), "`sin` must be as long as `cos`");
    let n_positions = plan.n_positions();
    assert!(cos.len() >= n_values([n_positions, half]), "`cos` must have {n_positions} rows of {half}");
    if x.is_empty() || half == 0 {
        return Ok(());
    }
    const THREADS: u32 = 256;
    let launch = Launch {
        kernel: Kernel { source: &SOURCE, name: T::pick("rotary_f32", "rotary_bf16") },
        grid: [blocks_of(n_tokens * n_heads * half.div_ceil(T::WIDTH), THREADS), 1, 1],
        block: THREADS,
        shared_bytes: 0,
        args: &[
            Arg::write(&mut x),   // T *x
            Arg::read(positions), // const u32 *positions
            Arg::read(cos),       // const float *cos
            Arg::read(sin),       // const float *sin
            Arg::count(n_tokens), // u32 n_tokens
            Arg::count(n_heads),  // u32 n_heads
            Arg::count(head_dim), // u32 head_dim
            Arg::count(half),     // u32 half
            Arg::F32(direction),  // float direction
        ],
    };
    // SAFETY: the list is the kernel's; each thread touches values of `x` of its own, and row `positions[t]` of the table,
    // which has as many rows as the plan whose words these are asks for.
    unsafe { on.launch(&launch) }
}
