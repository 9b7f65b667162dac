//! Log-probabilities of chosen tokens with two divergences from a second distribution: what losses with a token-wise KL
//! term read
//!
//! Like [`gather_logps`](crate::gather_logps), no `[rows, vocab]` matrix ever exists: both directions hold one tile of
//! logits of either side.

mod cpu;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;

use crate::{Precision, Rows};

/// Hidden states and the map from them to logits
#[derive(Clone, Copy, Debug)]
pub struct HeadStates<'a> {
    /// `[n_hidden, d_model]`, after the final norm
    pub hidden: &'a [f32],
    /// `[vocab, d_model]`
    pub lm_head: &'a [f32],
    /// values in a hidden row, at least 1; models may differ in it
    pub d_model: usize,
}

impl HeadStates<'_> {
    pub(crate) fn n_hidden(&self) -> usize {
        crate::tasks::assert_rows(self.hidden, self.d_model)
    }

    pub(crate) fn vocab(&self) -> usize {
        crate::tasks::assert_rows(self.lm_head, self.d_model)
    }
}

/// What [`gather_divergences`] returns; one value a row each, in nats
#[derive(Clone, Debug)]
pub struct GatheredDivergences {
    /// log-probability of the row's target
    pub logps: Vec<f64>,
    /// `KL(other ‖ policy)` of the distributions that predict the row's target
    pub forward_kl: Vec<f64>,
    /// `KL(policy ‖ other)` of the same
    pub reverse_kl: Vec<f64>,
    /// log-sum-exp of each hidden row, of the policy and of the other
    lse: Vec<[f64; 2]>,
}

/// Gradients of a loss with respect to each row's values; every list has one value a row
#[derive(Clone, Copy, Debug)]
pub struct RowGradients<'a> {
    /// of [`GatheredDivergences::logps`]
    pub logps: &'a [f64],
    /// of [`GatheredDivergences::forward_kl`]
    pub forward_kl: &'a [f64],
    /// of [`GatheredDivergences::reverse_kl`]
    pub reverse_kl: &'a [f64],
}

/// Buffers of [`gather_divergences`] and its backward pass, used again from call to call
#[derive(Debug, Default)]
pub struct DivergenceScratch {
    packed: Vec<f32>,
    /// the hidden rows of one of the others
    packed_other: Vec<f32>,
    dpacked: Vec<f32>,
    tile: Vec<f32>,
    tile_other: Vec<f32>,
    /// of the matrix products
    pub precision: Precision,
}

/// The log-probability of every row's target under the policy, and how far the policy and another distribution are from
/// each other there
///
/// Equivalent to, in `f64`, with `a` the logits of the policy and `b` those of all `others` added up,
///
/// ```text
/// p = softmax(a[h])   q = softmax(b[h])
/// logps[r]      = log p[targets[r]]
/// forward_kl[r] = Σ_v q[v] (log q[v] - log p[v])
/// reverse_kl[r] = Σ_v p[v] (log p[v] - log q[v])
/// ```
///
/// One other is a reference model. Several are a distribution made of several models, such as the teacher of AlignDistil
/// (arXiv 2503.02832), whose logits are a weighted sum: who calls multiplies the hidden rows by the weights, which may
/// differ from row to row.
///
/// # Shapes
/// All have the same number of hidden rows and tokens; see [`HeadStates`].
///
/// # Which token an index names
/// Row `r` reads the hidden state of token *t* and scores `targets[r]`, the token at *t + 1*; see [`Rows`]. Rows that read
/// one hidden row have the same divergences.
///
/// # Numerics
/// Logits are accumulated in `f32`, everything behind them in `f64`; divergences carry the rounding of the logits and may
/// be as far below 0. A token that `p` rules out and `q` does not makes the forward divergence infinite, and the other way
/// round.
///
/// # Panics
/// Where a slice does not have its shape, or `rows` were checked for more hidden rows or tokens.
///
/// # Examples
/// ```
/// use sepo_kernels::{DivergenceScratch, HeadStates, Rows, gather_divergences};
///
/// // Odds of 3 : 1 and of 1 : 1.
/// let policy = HeadStates { hidden: &[1.0], lm_head: &[3.0_f32.ln(), 0.0], d_model: 1 };
/// let reference = HeadStates { hidden: &[1.0], lm_head: &[0.0, 0.0], d_model: 1 };
/// let rows = Rows::new(vec![0], vec![0], 1, 2)?;
/// let gathered = gather_divergences(policy, &[reference], &rows, &mut DivergenceScratch::default());
/// let expected = 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln();
/// assert!((gathered.reverse_kl[0] - expected).abs() < 1e-6);
/// # Ok::<(), sepo_kernels::KernelError>(())
/// ```
#[must_use]
pub fn gather_divergences(
    policy: HeadStates<'_>,
    others: &[HeadStates<'_>],
    rows: &Rows,
    scratch: &mut DivergenceScratch,
) -> GatheredDivergences {
    check(policy, others, rows);
    cpu::gather_divergences(policy, others, rows, scratch)
}

/// The gradients of [`gather_divergences`] with respect to the policy
///
/// With `p`, `q` and the divergences as there, and sums over the rows that read `h`,
///
/// ```text
/// dlogits[h, v] = Σ_r   d.logps[r] (1[v = targets[r]] - p[v])
///                     + d.forward_kl[r] (p[v] - q[v])
///                     + d.reverse_kl[r] p[v] (log p[v] - log q[v] - reverse_kl[r])
/// ```
///
/// Then `dhidden = dlogits lm_head` is overwritten, and `dlogitsᵀ hidden` is added to `dlm_head`. Hidden rows whose rows
/// have no gradient but 0 cost nothing. The others get no gradient.
///
/// # Shapes
/// `dhidden` and `dlm_head` have those of the policy's `hidden` and `lm_head`; `gathered` is what the forward pass returned
/// for the same inputs.
///
/// # Panics
/// Where a slice does not have its shape, or `rows` were checked for more hidden rows or tokens.
///
/// # Examples
/// ```
/// use sepo_kernels::{
///     DivergenceScratch, HeadStates, RowGradients, Rows, gather_divergences, gather_divergences_backward,
/// };
///
/// let policy = HeadStates { hidden: &[1.0], lm_head: &[3.0_f32.ln(), 0.0], d_model: 1 };
/// let reference = HeadStates { hidden: &[1.0], lm_head: &[0.0, 0.0], d_model: 1 };
/// let rows = Rows::new(vec![0], vec![0], 1, 2)?;
/// let mut scratch = DivergenceScratch::default();
/// let gathered = gather_divergences(policy, &[reference], &rows, &mut scratch);
/// let d = RowGradients { logps: &[0.0], forward_kl: &[1.0], reverse_kl: &[0.0] };
/// let (mut dhidden, mut dlm_head) = ([0.0], [0.0; 2]);
/// gather_divergences_backward(
///     policy, &[reference], &rows, &gathered, d, &mut dhidden, &mut dlm_head, &mut scratch,
/// );
/// assert!((dlm_head[0] - 0.25).abs() < 1e-6 && (dlm_head[1] + 0.25).abs() < 1e-6); // p - q
/// # Ok::<(), sepo_kernels::KernelError>(())
/// ```
#[expect(clippy::too_many_arguments, reason = "inputs, what the forward pass made, and two gradients")]
pub fn gather_divergences_backward(
    policy: HeadStates<'_>,
    others: &[HeadStates<'_>],
    rows: &Rows,
    gathered: &GatheredDivergences,
    d: RowGradients<'_>,
    dhidden: &mut [f32],
    dlm_head: &mut [f32],
    scratch: &mut DivergenceScratch,
) {
    check(policy, others, rows);
    assert_eq!(gathered.lse.len(), policy.n_hidden(), "`gathered` must come from the same hidden rows");
    for gradients in [d.logps, d.forward_kl, d.reverse_kl] {
        assert_eq!(gradients.len(), rows.len(), "gradients must have one value a row");
    }
    assert_eq!(dhidden.len(), policy.hidden.len(), "`dhidden` must be as long as `hidden`");
    assert_eq!(dlm_head.len(), policy.lm_head.len(), "`dlm_head` must be as long as `lm_head`");
    cpu::gather_divergences_backward(policy, others, rows, gathered, d, (dhidden, dlm_head), scratch);
}

fn check(policy: HeadStates<'_>, others: &[HeadStates<'_>], rows: &Rows) {
    let (n_hidden, vocab) = (policy.n_hidden(), policy.vocab());
    for other in others {
        assert_eq!(other.n_hidden(), n_hidden, "all must have the same hidden rows");
        assert_eq!(other.vocab(), vocab, "all must have the same vocabulary");
    }
    assert!(rows.n_hidden() <= n_hidden, "rows were checked for {} hidden rows", rows.n_hidden());
    assert!(rows.vocab() <= vocab, "rows were checked for a vocabulary of {}", rows.vocab());
}
