//! Selective-DPO's mask.

use sepo_data::Side;

use super::error::check_len;
use super::{Level, WeighError, threshold};

/// Which tokens' policy-reference gap is at least its quantile `q` within the response: Selective-DPO (2507.07725),
/// `q = 0.6` there.
///
/// The gap is `log π_ref − log π_θ` on the chosen side, what the policy has still to learn, and `log π_θ − log π_ref` on
/// the rejected one. Quantiles as [`quantile`](super::quantile) takes them. While both models are the same all gaps are
/// 0, and every token is selected.
///
/// # Errors
///
/// * [`WeighError::Length`]: there are more or fewer reference log-probabilities than the policy's.
/// * [`WeighError::Setting`]: `q` is not from 0 to 1.
///
/// # Examples
///
/// ```
/// use sepo_select::{Side, weigh::gap_mask};
/// let mask = gap_mask(Side::Chosen, &[-2.0, -1.0], &[-1.0, -1.0], 0.6)?;
/// assert_eq!(mask, [true, false]);
/// # Ok::<(), sepo_select::weigh::WeighError>(())
/// ```
pub fn gap_mask(
    side: Side,
    policy_logps: &[f64],
    reference_logps: &[f64],
    q: f64,
) -> Result<Vec<bool>, WeighError> {
    let level = Level::Quantile { q };
    level.check()?;
    check_len(
        ("log-probabilities of the reference", reference_logps.len()),
        ("of the policy", policy_logps.len()),
    )?;
    let gaps = policy_logps.iter().zip(reference_logps).map(|(policy, reference)| match side {
        Side::Chosen => reference - policy,
        Side::Rejected => policy - reference,
    });
    Ok(threshold(&gaps.collect::<Vec<_>>(), level))
}
