//! Log-probabilities of chosen tokens, straight from hidden states: `lm_head`, log-softmax and gather in one
//!
//! The `[rows, vocab]` matrix of logits or log-probabilities never exists: both directions stream over the vocabulary
//! in tiles, and the backward pass computes the logits again, but for those that fit the bound of a [`HeadScratch`].

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
#[cfg(feature = "cuda")]
pub(crate) mod input;
#[cfg(feature = "cuda")]
pub(crate) mod plan;
mod scratch;
pub(crate) mod tiles;

pub use scratch::HeadScratch;

use crate::Rows;
use crate::shape::assert_shape;

/// Sizes of a language-model head
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadShape {
    /// rows of the hidden matrix
    pub n_hidden: usize,
    /// values in a hidden row
    pub d_model: usize,
    /// tokens in the vocabulary
    pub vocab: usize,
}

impl HeadShape {
    fn check(&self, hidden: &[f32], lm_head: &[f32], rows: &Rows) {
        let &Self { n_hidden, d_model, vocab } = self;
        assert_shape("`hidden`", hidden.len(), [n_hidden, d_model]);
        assert_shape("`lm_head`", lm_head.len(), [vocab, d_model]);
        assert!(rows.n_hidden() <= n_hidden, "rows were checked for {} hidden rows", rows.n_hidden());
        assert!(rows.vocab() <= vocab, "rows were checked for a vocabulary of {}", rows.vocab());
    }
}

/// What [`gather_logps`] returns
#[derive(Clone, Debug)]
pub struct GatheredLogps {
    /// natural log-probability of each row's target, `[rows.len()]`
    pub logps: Vec<f64>,
    /// log-sum-exp of the logits of each hidden row, `[n_hidden]`; not-a-number for hidden rows that no row reads
    pub lse: Vec<f64>,
    /// the forward pass that this is of
    pass: u64,
}

/// The log-probability of every row's target
///
/// Equivalent to, in `f64`,
///
/// ```text
/// logits[h, v] = Σ_d hidden[h, d] lm_head[v, d]
/// lse[h]       = log Σ_v exp(logits[h, v])
/// logps[r]     = logits[hidden_rows[r], targets[r]] - lse[hidden_rows[r]]
/// ```
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `hidden` | `[n_hidden, d_model]`, after the final norm |
/// | `lm_head` | `[vocab, d_model]` |
///
/// # Which token an index names
/// Row `r` reads the hidden state of token *t* and scores `targets[r]`, the token at *t + 1*; see [`Rows`].
///
/// # Numerics
/// Logits are accumulated in `f32`, the log-sum-exp in `f64`. A hidden row with a logit that is infinite or
/// not-a-number gives log-probabilities that are not-a-number.
///
/// # Panics
/// Where a slice does not have its shape, or `rows` were checked for more hidden rows or tokens.
///
/// # Examples
/// ```
/// use sepo_kernels::{HeadScratch, HeadShape, Rows, gather_logps};
///
/// let shape = HeadShape { n_hidden: 1, d_model: 1, vocab: 2 };
/// let rows = Rows::new(vec![0, 0], vec![0, 1], 1, 2)?;
/// let mut scratch = HeadScratch::default();
/// let gathered = gather_logps(&[1.0], &[3.0_f32.ln(), 0.0], &rows, shape, &mut scratch); // odds 3 : 1
/// assert!((gathered.logps[0] - 0.75_f64.ln()).abs() < 1e-6);
/// assert!((gathered.logps[1] - 0.25_f64.ln()).abs() < 1e-6);
/// # Ok::<(), sepo_kernels::KernelError>(())
/// ```
#[must_use]
pub fn gather_logps(
    hidden: &[f32],
    lm_head: &[f32],
    rows: &Rows,
    shape: HeadShape,
    scratch: &mut HeadScratch,
) -> GatheredLogps {
    shape.check(hidden, lm_head, rows);
    cpu::gather_logps(hidden, lm_head, rows, shape, scratch)
}

/// The gradients of [`gather_logps`] for the gradients `dlogps` of its log-probabilities
///
/// With `p = softmax(logits[h])`, `dlogits[h, v] = Σ_{r reads h} dlogps[r] (1[v = targets[r]] - p[v])`; then
/// `dhidden = dlogits lm_head` is overwritten, and `dlogitsᵀ hidden` is added to `dlm_head`. Hidden rows whose rows all
/// have a gradient of exactly 0 cost nothing.
///
/// # Shapes
/// | argument | shape |
/// |---|---|
/// | `hidden`, `dhidden` | `[n_hidden, d_model]` |
/// | `lm_head`, `dlm_head` | `[vocab, d_model]` |
/// | `gathered` | what the forward pass returned for the same inputs |
/// | `scratch` | any; the forward pass's own saves the logits that it kept |
/// | `dlogps` | `[rows.len()]` |
///
/// # Panics
/// Where a slice does not have its shape, or `rows` were checked for more hidden rows or tokens.
///
/// # Examples
/// ```
/// use sepo_kernels::{HeadScratch, HeadShape, Rows, gather_logps, gather_logps_backward};
///
/// let mut scratch = HeadScratch::default();
/// let (hidden, lm_head) = ([2.0], [0.0, 0.0]);
/// let shape = HeadShape { n_hidden: 1, d_model: 1, vocab: 2 };
/// let rows = Rows::new(vec![0], vec![1], 1, 2)?;
/// let gathered = gather_logps(&hidden, &lm_head, &rows, shape, &mut scratch);
/// let (mut dhidden, mut dlm_head) = ([9.0], [0.0; 2]);
/// gather_logps_backward(
///     &hidden, &lm_head, &rows, &gathered, &[1.0], &mut dhidden, &mut dlm_head, shape, &mut scratch,
/// );
/// assert_eq!((dhidden, dlm_head), ([0.0], [-1.0, 1.0]));
/// # Ok::<(), sepo_kernels::KernelError>(())
/// ```
#[expect(clippy::too_many_arguments, reason = "inputs, what the forward pass kept, and two gradients")]
pub fn gather_logps_backward(
    hidden: &[f32],
    lm_head: &[f32],
    rows: &Rows,
    gathered: &GatheredLogps,
    dlogps: &[f64],
    dhidden: &mut [f32],
    dlm_head: &mut [f32],
    shape: HeadShape,
    scratch: &mut HeadScratch,
) {
    shape.check(hidden, lm_head, rows);
    assert_eq!(gathered.lse.len(), shape.n_hidden, "`gathered` must come from the same hidden rows");
    assert_eq!(dlogps.len(), rows.len(), "`dlogps` must have one value a row");
    assert_eq!(dhidden.len(), hidden.len(), "`dhidden` must be as long as `hidden`");
    assert_eq!(dlm_head.len(), lm_head.len(), "`dlm_head` must be as long as `lm_head`");
    let grads = cpu::Grads { dhidden, dlm_head };
    cpu::gather_logps_backward(hidden, lm_head, rows, gathered, dlogps, grads, shape, scratch);
}
