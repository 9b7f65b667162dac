//! What the difference of two responses has to exceed.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::constant::{PerRow, constant, scalar, values};

/// Γ, which is taken off `β (h(U_w) − h(U_l))` before the link.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Margin {
    /// A number: γ of SimPO, λ of SePO, 0 for most.
    Constant(f64),
    /// `−α (|y_w| − |y_l|)` (R-DPO, arXiv 2403.19159): longer chosen responses need less.
    LengthDifference {
        /// α.
        alpha: f64,
    },
    /// `β max(g, U_ref,w − U_ref,l)` (HyPO, arXiv 2602.11902): the reference's own margin where it is above `g`. With ρ = 0.
    Reference {
        /// g, the least margin.
        floor: f64,
    },
    /// `β λ max(0, −U_w)` (DPO-Positive, arXiv 2402.13228): a chosen response below the reference costs extra.
    Penalty {
        /// λ.
        lambda: f64,
    },
    /// `β exp(m) 1[m > 0]` with `m = max(0, (μ − r) / s · μ)`, where r is the pair's difference and μ, s the mean and the standard
    /// deviation over the pairs of the call, without gradient (AMaPO, arXiv 2511.09385, as reported). The loss of a pair
    /// **depends on its neighbours**.
    Adaptive,
}

/// The two responses as a margin sees them, one entry a compared unit.
pub(crate) struct Compared<'a, E: Dtype, D: Device<E>, T: Tape<E, D>> {
    /// `h(U_w)`.
    pub(crate) chosen: &'a PerRow<E, D, T>,
    /// `β (h(U_w) − h(U_l))`.
    pub(crate) difference: &'a PerRow<E, D, T>,
    /// `U_ref,w − U_ref,l`, where it is needed.
    pub(crate) reference: Option<Vec<f64>>,
    /// `|y_w| − |y_l|`.
    pub(crate) length_difference: Vec<f64>,
    pub(crate) live: &'a [bool],
}

impl Margin {
    /// `z`, the difference less the margin.
    pub(crate) fn take_off<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        self,
        beta: f64,
        compared: &Compared<'_, E, D, T>,
    ) -> Result<PerRow<E, D, T>, D::Err> {
        let difference = compared.difference.with_empty_tape();
        let known = |margins: Vec<f64>| {
            let n = margins.len();
            constant::<_, E, D>(difference.device(), &margins, (n,))
        };
        match self {
            Self::Constant(margin) => difference.try_sub(scalar::<E>(margin)),
            Self::LengthDifference { alpha } => {
                let margins = known(compared.length_difference.iter().map(|n| -alpha * n).collect())?;
                difference.try_sub(margins)
            }
            Self::Reference { floor } => {
                let reference = compared.reference.as_deref().unwrap_or_default();
                let margins = known(reference.iter().map(|margin| beta * margin.max(floor)).collect())?;
                difference.try_sub(margins)
            }
            Self::Penalty { lambda } => {
                let below = compared.chosen.with_empty_tape().try_negate()?.try_relu()?;
                difference.try_sub(below.try_mul(scalar::<E>(beta * lambda))?)
            }
            Self::Adaptive => {
                let margins = known(adaptive(beta, &values(&difference), compared.live))?;
                difference.try_sub(margins)
            }
        }
    }
}

fn adaptive(beta: f64, differences: &[f64], live: &[bool]) -> Vec<f64> {
    let living =
        || differences.iter().zip(live).filter(|(_, live)| **live).map(|(difference, _)| *difference);
    let n = (living().count() as f64).max(1.0);
    let mean = living().sum::<f64>() / n;
    let deviation = (living().map(|r| (r - mean).powi(2)).sum::<f64>() / n).sqrt();
    let margin = |r: &f64| {
        let excess = if deviation > 0.0 { (mean - r) / deviation * mean } else { 0.0 };
        if excess > 0.0 { beta * excess.exp() } else { 0.0 }
    };
    differences.iter().map(margin).collect()
}
