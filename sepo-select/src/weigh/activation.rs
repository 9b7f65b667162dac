//! MaPO's mask.

use super::error::check_finite;
use super::{States, WeighError, min_max};

/// One weight a token from 0 to 1: the mean of its activations, scaled by the least and the greatest of the response.
///
/// SparsePO's `MaPO` (2410.05102) takes the reference's activations of all layers, their mean over layers and units, the
/// z-score over the response and then min-max. A z-score is an affine map with a positive slope, which min-max undoes, so
/// it is left out here. Equal activations have the weight 1, where the released code divides 0 by 0.
///
/// # Shapes
///
/// `states` holds one row a response token, as wide as all layers together.
///
/// # Errors
///
/// [`WeighError::NotFinite`]: an activation is infinite or not a number.
///
/// # Examples
///
/// ```
/// use sepo_select::weigh::{States, activation_weights};
/// let states = States::new(&[0.0, 2.0, 4.0, 4.0, 1.0, 4.0], 2)?;
/// assert_eq!(activation_weights(states)?, [0.0, 1.0, 0.5]);
/// # Ok::<(), sepo_select::weigh::WeighError>(())
/// ```
pub fn activation_weights(states: States<'_>) -> Result<Vec<f64>, WeighError> {
    check_finite("activation", states.values())?;
    let means: Vec<f64> = states.rows().map(|row| row.iter().map(|a| a / row.len() as f64).sum()).collect();
    Ok(min_max(&means))
}
