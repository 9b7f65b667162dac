//! The checked layout of a flat token run: which tokens form a segment, and which segment it continues

use crate::error::{KernelError, check_offsets};
use std::ops::Range;

/// A flat run of tokens cut into segments, each of which may continue an earlier one
///
/// A token attends to all tokens of every ancestor of its segment, and to its own segment up to itself. So a prompt with
/// two responses is three segments, and the prompt is computed once:
///
/// ```text
///  segment      0 (prompt)     1 (chosen, parent 0)   2 (rejected, parent 0)
///  tokens       p p p          c c                    r r r
///  positions    0 1 2          3 4                    3 4 5
/// ```
///
/// Holding the value is the proof that offsets start at 0 and do not decrease, and that every parent stands before its
/// children. Empty segments and chains of any depth are fine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    offsets: Vec<usize>,
    parents: Vec<Option<usize>>,
    starts: Vec<usize>,
    // Ancestors of segment i, root first: `ancestors[ancestor_offsets[i]..ancestor_offsets[i + 1]]`.
    ancestors: Vec<usize>,
    ancestor_offsets: Vec<usize>,
}

impl Segments {
    /// The layout with segment `i` at tokens `offsets[i]..offsets[i + 1]`, continuing segment `parents[i]`
    ///
    /// # Errors
    /// * [`KernelError::OffsetsEmpty`], [`OffsetsStart`](KernelError::OffsetsStart) or
    ///   [`OffsetsDecrease`](KernelError::OffsetsDecrease) where `offsets` are not `0 <= … <= n_tokens`
    /// * [`KernelError::SegmentEntries`] where `parents` has not one entry a segment
    /// * [`KernelError::ParentNotBefore`] where a parent is the segment itself or a later one
    /// * [`KernelError::TooMany`] where there are more than `u32::MAX` tokens
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::Segments;
    ///
    /// let pair = Segments::new(vec![0, 3, 5, 8], vec![None, Some(0), Some(0)])?;
    /// assert_eq!(pair.positions(), [0, 1, 2, 3, 4, 3, 4, 5]);
    /// assert!(Segments::new(vec![0, 3], vec![Some(0)]).is_err());
    /// # Ok::<(), sepo_kernels::KernelError>(())
    /// ```
    pub fn new(offsets: Vec<usize>, parents: Vec<Option<usize>>) -> Result<Self, KernelError> {
        let n_segments = check_offsets(&offsets)?;
        if parents.len() != n_segments {
            return Err(KernelError::SegmentEntries { n_segments, n_entries: parents.len() });
        }
        let n_tokens = offsets[n_segments];
        if u32::try_from(n_tokens).is_err() {
            return Err(KernelError::TooMany { n_values: n_tokens });
        }
        let mut starts = Vec::with_capacity(n_segments);
        let mut ancestors = Vec::new();
        let mut ancestor_offsets = vec![0];
        for (segment, parent) in parents.iter().enumerate() {
            let start = match *parent {
                None => 0,
                Some(parent) if parent >= segment => {
                    return Err(KernelError::ParentNotBefore { segment, parent });
                }
                Some(parent) => {
                    ancestors.extend_from_within(ancestor_offsets[parent]..ancestor_offsets[parent + 1]);
                    ancestors.push(parent);
                    starts[parent] + offsets[parent + 1] - offsets[parent]
                }
            };
            starts.push(start);
            ancestor_offsets.push(ancestors.len());
        }
        Ok(Self { offsets, parents, starts, ancestors, ancestor_offsets })
    }

    /// One ordinary sequence of `n_tokens` tokens
    ///
    /// # Panics
    /// Where there are more than `u32::MAX` tokens.
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::Segments;
    ///
    /// assert_eq!(Segments::single(4).range(0), 0..4);
    /// ```
    #[must_use]
    pub fn single(n_tokens: usize) -> Self {
        assert!(u32::try_from(n_tokens).is_ok(), "{n_tokens} tokens are more than 32-bit indices can name");
        Self {
            offsets: vec![0, n_tokens],
            parents: vec![None],
            starts: vec![0],
            ancestors: Vec::new(),
            ancestor_offsets: vec![0, 0],
        }
    }

    /// Number of segments
    ///
    /// # Examples
    /// ```
    /// # use sepo_kernels::Segments;
    /// assert_eq!(Segments::single(4).n_segments(), 1);
    /// ```
    #[must_use]
    pub fn n_segments(&self) -> usize {
        self.parents.len()
    }

    /// Number of tokens in all segments together
    ///
    /// # Examples
    /// ```
    /// # use sepo_kernels::Segments;
    /// assert_eq!(Segments::single(4).n_tokens(), 4);
    /// ```
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// Flat token indices of segment `i`
    ///
    /// # Panics
    /// Where there is no segment `i`.
    #[must_use]
    pub fn range(&self, i: usize) -> Range<usize> {
        self.offsets[i]..self.offsets[i + 1]
    }

    /// The segment that segment `i` continues
    ///
    /// # Panics
    /// Where there is no segment `i`.
    #[must_use]
    pub fn parent(&self, i: usize) -> Option<usize> {
        self.parents[i]
    }

    /// Position of the first token of segment `i`: the summed length of all its ancestors
    ///
    /// # Panics
    /// Where there is no segment `i`.
    #[must_use]
    pub fn start_position(&self, i: usize) -> usize {
        self.starts[i]
    }

    /// Ancestors of segment `i`, the root first, without `i` itself
    ///
    /// # Panics
    /// Where there is no segment `i`.
    ///
    /// # Examples
    /// ```
    /// # use sepo_kernels::Segments;
    /// let chain = Segments::new(vec![0, 1, 2, 3], vec![None, Some(0), Some(1)])?;
    /// assert_eq!(chain.ancestors(2), [0, 1]);
    /// # Ok::<(), sepo_kernels::KernelError>(())
    /// ```
    #[must_use]
    pub fn ancestors(&self, i: usize) -> &[usize] {
        &self.ancestors[self.ancestor_offsets[i]..self.ancestor_offsets[i + 1]]
    }

    /// Position of every token in its own sequence, as rotary embeddings count them
    ///
    /// Entry *t* belongs to flat token *t*.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions are below the token count, which fits where segments are made"
    )]
    pub fn positions(&self) -> Vec<u32> {
        let mut positions = Vec::with_capacity(self.n_tokens());
        for i in 0..self.n_segments() {
            let start = self.starts[i];
            positions.extend((start..start + self.range(i).len()).map(|position| position as u32));
        }
        positions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "4294967296 tokens are more than 32-bit indices can name")]
    fn a_sequence_whose_positions_do_not_fit_is_refused() {
        let _ = Segments::single(1 << 32);
    }
}
