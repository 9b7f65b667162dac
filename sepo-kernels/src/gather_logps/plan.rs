//! Which hidden rows a head on a device reads, and for which rows

use super::HeadShape;
use crate::Rows;
use crate::device::{Indices, Placed, Plan, Slice};
use std::ops::Range;

/// Which hidden rows are read, by which rows; placed on the device once a batch
///
/// For the backward pass leave out rows without a gradient: hidden rows that nothing is left of cost nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadPlan {
    // of every group: hidden row; first row; end of its rows; then the targets of all rows
    words: Vec<u32>,
    n_groups: usize,
    n_rows: usize,
    n_hidden: usize,
    vocab: usize,
}

impl HeadPlan {
    /// The plan of the hidden rows that are read by a row for which `wanted` holds
    ///
    /// # Panics
    /// Where there are 2^32 rows.
    ///
    /// # Examples
    /// ```
    /// use sepo_kernels::{Rows, cuda::HeadPlan, cuda::Plan};
    ///
    /// let rows = Rows::new(vec![0, 0, 2], vec![7, 4, 1], 3, 8)?;
    /// assert_eq!(HeadPlan::new(&rows, |_| true).words(), [0, 2, 0, 2, 2, 3, 7, 4, 1]);
    /// # Ok::<(), sepo_kernels::KernelError>(())
    /// ```
    #[must_use]
    pub fn new(rows: &Rows, wanted: impl Fn(usize) -> bool) -> Self {
        let groups = super::tiles::groups(rows, wanted);
        let word = |n: usize| u32::try_from(n).expect("rows are below 2^32");
        let hidden_rows = groups.iter().map(|group| word(group.hidden_row));
        let first_rows = groups.iter().map(|group| word(group.rows.start));
        let end_rows = groups.iter().map(|group| word(group.rows.end));
        let targets = rows.targets().iter().copied();
        let words = hidden_rows.chain(first_rows).chain(end_rows).chain(targets).collect();
        let (n_groups, n_rows) = (groups.len(), rows.len());
        Self { words, n_groups, n_rows, n_hidden: rows.n_hidden(), vocab: rows.vocab() }
    }

    /// Hidden rows that are read
    #[must_use]
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Rows of the list that it was made of
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn check(&self, shape: HeadShape) {
        assert!(self.n_hidden <= shape.n_hidden, "the plan is for {} hidden rows", self.n_hidden);
        assert!(self.vocab <= shape.vocab, "the plan is for a vocabulary of {}", self.vocab);
    }
}

impl Plan for HeadPlan {
    fn words(&self) -> &[u32] {
        &self.words
    }
}

/// A plan's words on the device, taken apart
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a> {
    pub(crate) hidden_rows: Indices<'a>,
    pub(crate) first_rows: Slice<'a, u32>,
    pub(crate) end_rows: Slice<'a, u32>,
    pub(crate) targets: Slice<'a, u32>,
}

impl<'a> Groups<'a> {
    /// The groups `range` of a plan
    pub(crate) fn new(placed: Placed<'a, HeadPlan>, range: Range<usize>) -> Self {
        let (&HeadPlan { n_groups: n, n_hidden, .. }, words) = (placed.plan(), placed.words());
        let part = |i: usize| words.range(i * n + range.start..i * n + range.end);
        Self {
            hidden_rows: Indices { words: part(0), end: n_hidden },
            first_rows: part(1),
            end_rows: part(2),
            targets: words.range(3 * n..words.len()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.hidden_rows.words.len()
    }
}
