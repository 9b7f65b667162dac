//! Buffers of the fused head, and the logits that the forward pass leaves for the backward pass

use super::GatheredLogps;
use super::tiles::HIDDEN_ROWS;
use crate::Precision;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers the forward passes of a process, so that no backward pass takes another's logits
static PASSES: AtomicU64 = AtomicU64::new(0);

/// Buffers of [`gather_logps`](super::gather_logps) and its backward pass, used again from call to call
///
/// It may keep the logits of a forward pass, up to a bound, so that the backward pass need not compute them again: three
/// matrix products a row instead of four. Rows beyond the bound cost four. The bound is what memory the head takes, however
/// many rows there are and however large the vocabulary is.
///
/// # Examples
/// ```
/// use sepo_kernels::{HeadScratch, HeadShape, Rows, gather_logps, gather_logps_backward};
///
/// let (hidden, lm_head) = ([2.0], [0.0, 0.0]);
/// let shape = HeadShape { n_hidden: 1, d_model: 1, vocab: 2 };
/// let rows = Rows::new(vec![0], vec![1], 1, 2)?;
/// let mut gradients = [HeadScratch::default(), HeadScratch::keeping(1 << 20)].map(|mut scratch| {
///     let gathered = gather_logps(&hidden, &lm_head, &rows, shape, &mut scratch);
///     let (mut dhidden, mut dlm_head) = ([0.0], [0.0; 2]);
///     gather_logps_backward(
///         &hidden, &lm_head, &rows, &gathered, &[1.0], &mut dhidden, &mut dlm_head, shape, &mut scratch,
///     );
///     dlm_head
/// });
/// assert_eq!(gradients[0], gradients[1]);
/// # Ok::<(), sepo_kernels::KernelError>(())
/// ```
#[derive(Debug, Default)]
pub struct HeadScratch {
    pub(super) packed: Vec<f32>,
    pub(super) dpacked: Vec<f32>,
    /// one tile of logits
    pub(super) tile: Vec<f32>,
    /// logits of the first `n_kept` hidden rows that were read: block by block of rows, tile by tile
    pub(super) kept: Vec<f32>,
    pub(super) n_kept: usize,
    /// logits that forward passes may keep from now on, four bytes each
    pub max_kept: usize,
    /// of the matrix products; logits and the log-sum-exp are `f32` and `f64` either way
    pub precision: Precision,
    /// the forward pass that `kept` is of, and how many hidden rows it read
    pass: u64,
    n_read: usize,
}

impl HeadScratch {
    /// Buffers that keep up to `max_kept` logits from a forward pass for its backward pass
    #[must_use]
    pub fn keeping(max_kept: usize) -> Self {
        Self { max_kept, ..Self::default() }
    }

    /// Makes room for the logits of a forward pass that reads `n_read` hidden rows; returns its number
    pub(super) fn begin(&mut self, n_read: usize, vocab: usize) -> u64 {
        let fits = self.max_kept / vocab.max(1);
        // Blocks are kept whole.
        self.n_kept = if n_read <= fits { n_read } else { fits / HIDDEN_ROWS * HIDDEN_ROWS };
        self.kept.resize(self.kept.len().max(self.n_kept * vocab), 0.0);
        self.n_read = n_read;
        self.pass = PASSES.fetch_add(1, Ordering::Relaxed) + 1;
        self.pass
    }

    /// How many hidden rows of the forward pass `gathered` still have their logits, for a backward pass that reads
    /// `n_read` and changes them
    pub(super) fn take_kept(&mut self, gathered: &GatheredLogps, n_read: usize) -> usize {
        let usable = gathered.pass == self.pass && n_read == self.n_read;
        let n_kept = if usable { self.n_kept } else { 0 };
        self.pass = 0;
        n_kept
    }
}
