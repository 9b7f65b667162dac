//! ConfPO's mask.

/// Which tokens the policy is less sure of than on the mean: `log p_t < log( mean_t p_t )`, ConfPO (2506.08712).
///
/// From the log-probabilities of this very step, detached. Uniform confidence selects nothing, and a pair with such a
/// side contributes nothing to the loss.
///
/// # Which token an index names
///
/// `logps[t]` is the log-probability of response token `t` as the predicted token.
///
/// # Examples
///
/// ```
/// let logps = [0.9f64.ln(), 0.2f64.ln()];
/// assert_eq!(sepo_select::weigh::low_confidence_mask(&logps), [false, true]);
/// ```
#[must_use]
pub fn low_confidence_mask(logps: &[f64]) -> Vec<bool> {
    let highest = logps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shifted: f64 = logps.iter().map(|l| (l - highest).exp()).sum();
    let level = highest + (shifted / logps.len() as f64).ln();
    logps.iter().map(|l| *l < level).collect()
}
