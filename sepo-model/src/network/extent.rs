//! For which tokens a block makes an output.

use super::{BatchContext, Rotation};
use sepo_kernels::{AttentionLayout, Queries};

/// For which tokens a block makes an output. Keys and values are made for all of them in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every token: a block above reads them all.
    All,
    /// The positions that some row looks at: nothing else is above the last block.
    Needed,
}

impl Extent {
    /// Rows of the output; `None` for all.
    pub(super) fn positions(self, context: &BatchContext) -> Option<&[u32]> {
        (self == Self::Needed).then_some(&context.needed)
    }

    pub(super) fn n_outputs(self, context: &BatchContext) -> usize {
        self.positions(context).map_or(context.n_tokens(), <[u32]>::len)
    }

    pub(super) fn rotation(self, context: &BatchContext) -> &Rotation {
        if self == Self::All { &context.rotation } else { &context.needed_rotation }
    }

    pub(super) fn attention_layout(self, context: &BatchContext) -> AttentionLayout<'_> {
        AttentionLayout {
            segments: &context.segments,
            queries: self.positions(context).map_or(Queries::All, Queries::At),
        }
    }
}

/// The rows of `x` at `positions`, `d` values each, in `out`.
pub(super) fn gather_rows(x: &[f32], positions: &[u32], d: usize, out: &mut Vec<f32>) {
    out.clear();
    for position in positions {
        out.extend_from_slice(&x[*position as usize * d..][..d]);
    }
}

/// Adds each row of `rows` to the row of `x` at its position.
pub(super) fn add_rows(rows: &[f32], positions: &[u32], d: usize, x: &mut [f32]) {
    for (position, row) in positions.iter().zip(rows.chunks_exact(d)) {
        for (sum, value) in x[*position as usize * d..][..d].iter_mut().zip(row) {
            *sum += value;
        }
    }
}
