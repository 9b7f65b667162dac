//! A loss on labels of tokens: binary cross-entropy.

use dfdx::prelude::*;

use crate::constant::{PerRow, constant};
use crate::error::LossError;
use crate::link::negative_log_sigmoid;

/// `−y log σ(z) − (1 − y) log σ(−z)` of every token: what a classifier of tokens is trained on (TLDR, arXiv 2410.04734).
///
/// `z` is the classifier's logit, `y` the label: the probability that the token is good, mostly 0 or 1.
///
/// # Numerics
///
/// Computed as `−log σ(z) + (1 − y) z`; see [`negative_log_sigmoid`].
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Panics
///
/// If there is not one label a logit.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
/// use sepo_loss::cross_entropy;
///
/// let logits = Cpu::default().tensor_from_vec(vec![0.0, 0.0], (2,));
/// let losses = cross_entropy(logits.leaky_trace(), &[1.0, 0.0])?;
/// assert_eq!(losses.as_vec(), [2f64.ln(); 2]);
/// assert_eq!(losses.sum::<Rank0, _>().backward().get(&logits).as_vec(), [-0.5, 0.5]);
/// # Ok::<(), CpuError>(())
/// ```
pub fn cross_entropy<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    logits: PerRow<E, D, T>,
    labels: &[f64],
) -> Result<PerRow<E, D, T>, D::Err> {
    let (n,) = *logits.shape();
    assert_eq!(labels.len(), n, "one label a logit");
    let wrong: Vec<f64> = labels.iter().map(|label| 1.0 - label).collect();
    let tilt = logits.with_empty_tape().try_mul(constant::<_, E, D>(logits.device(), &wrong, (n,))?)?;
    negative_log_sigmoid(logits)?.try_add(tilt)
}

/// The sum of [`cross_entropy`] over all tokens, and its slope in each logit.
///
/// # Errors
///
/// [`LossError::Tape`] if dfdx runs out of memory.
///
/// # Panics
///
/// If there is not one label a logit.
///
/// # Examples
///
/// ```
/// let (loss, slopes) = sepo_loss::label_loss(&[0.0], &[0.25])?;
/// assert_eq!((loss, slopes), (2f64.ln(), vec![0.25])); // σ(0) − 0.25
/// # Ok::<(), sepo_loss::LossError>(())
/// ```
pub fn label_loss(logits: &[f64], labels: &[f64]) -> Result<(f64, Vec<f64>), LossError> {
    if logits.is_empty() {
        return Ok((0.0, Vec::new()));
    }
    let at = Cpu::default().try_tensor_from_vec(logits.to_vec(), (logits.len(),))?;
    let sum = cross_entropy(at.leaky_trace(), labels)?.try_sum::<Rank0, _>()?;
    let loss = sum.array();
    Ok((loss, sum.try_backward()?.get(&at).as_vec()))
}
