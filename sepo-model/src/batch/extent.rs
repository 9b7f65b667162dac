//! For which tokens a block makes an output.

use sepo_kernels::{AttentionLayout, Queries};

use super::BatchContext;

/// For which tokens a block makes an output. Keys and values are made for all of them in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every token: a block above reads them all.
    All,
    /// The positions that some row looks at: nothing else is above the last block.
    Needed,
}

impl Extent {
    /// Rows of the output; `None` for all.
    fn tokens(self, context: &BatchContext) -> Option<&[u32]> {
        (self == Self::Needed).then_some(&context.needed)
    }

    pub(crate) fn n_outputs(self, context: &BatchContext) -> usize {
        self.tokens(context).map_or(context.n_tokens(), <[u32]>::len)
    }

    /// Where the tokens of the output stand in their sequences.
    pub(crate) fn positions(self, context: &BatchContext) -> &[u32] {
        if self == Self::All { &context.positions } else { &context.needed_positions }
    }

    pub(crate) fn attention_layout(self, context: &BatchContext) -> AttentionLayout<'_> {
        AttentionLayout {
            segments: &context.segments,
            queries: self.tokens(context).map_or(Queries::All, Queries::At),
        }
    }
}
