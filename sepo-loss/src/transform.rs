//! What becomes of a response's reduced statistic before the two responses are compared.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::constant::scalar;
use crate::link::negative_log_sigmoid;

/// `h`, applied to `U` of each response.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Transform {
    /// `h(U) = U`.
    Identity,
    /// `h(U) = U − log(1 − exp U)`: the log-odds of a probability whose logarithm is `U` (ORPO, arXiv 2403.07691).
    LogOdds,
    /// `h(U) = (1 − exp(−α U)) / α` (AlphaPO, arXiv 2501.03884): `U` where α goes to 0.
    #[serde(rename = "alphapo")]
    AlphaPo {
        /// α, not 0.
        alpha: f64,
    },
    /// `h(U) = −exp(−U)`: f-DPO (arXiv 2309.16240) with the forward KL divergence.
    ForwardKl,
    /// `h(U) = log σ(U)`: f-DPO with the Jensen–Shannon divergence, less a constant that cancels.
    JensenShannon,
    /// `h(U) = exp((α − 1) U) / (α − 1)`: f-DPO with an α-divergence; `U` where α is 1.
    AlphaDivergence {
        /// α.
        alpha: f64,
    },
}

impl Transform {
    /// `h` of every entry.
    ///
    /// # Numerics
    ///
    /// `log(1 − exp U)` is computed from `exp(U) − 1` by its series where `U` is near 0. At `U = 0`, a certain response,
    /// the log-odds are infinite.
    ///
    /// # Errors
    ///
    /// The device's own, where an operation fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use dfdx::prelude::*;
    /// use sepo_loss::Transform;
    ///
    /// let half = || Cpu::default().tensor_from_vec(vec![0.5f64.ln()], (1,));
    /// assert!(Transform::LogOdds.apply(half())?.as_vec()[0].abs() < 1e-15);
    /// assert_eq!(Transform::AlphaPo { alpha: 1.0 }.apply(half())?.as_vec(), [-1.0]);
    /// # Ok::<(), CpuError>(())
    /// ```
    pub fn apply<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
        self,
        u: Tensor<S, E, D, T>,
    ) -> Result<Tensor<S, E, D, T>, D::Err> {
        match self {
            Self::Identity => Ok(u),
            Self::LogOdds => {
                let odds = log_one_minus_exp(u.with_empty_tape())?;
                u.try_sub(odds)
            }
            Self::AlphaPo { alpha } => {
                let power = u.try_mul(scalar::<E>(-alpha))?.try_exp()?;
                power.try_mul(scalar::<E>(-1.0 / alpha))?.try_add(scalar::<E>(1.0 / alpha))
            }
            Self::ForwardKl => u.try_negate()?.try_exp()?.try_negate(),
            Self::JensenShannon => negative_log_sigmoid(u)?.try_negate(),
            Self::AlphaDivergence { alpha } if (alpha - 1.0).abs() < 1e-6 => Ok(u),
            Self::AlphaDivergence { alpha } => {
                let power = u.try_mul(scalar::<E>(alpha - 1.0))?.try_exp()?;
                power.try_mul(scalar::<E>(1.0 / (alpha - 1.0)))
            }
        }
    }
}

impl Transform {
    /// `h` of one number.
    pub(crate) fn of(self, u: f64) -> f64 {
        match self {
            Self::Identity => u,
            Self::LogOdds => u - (-u.exp_m1()).ln(),
            Self::AlphaPo { alpha } => -(-alpha * u).exp_m1() / alpha,
            Self::ForwardKl => -(-u).exp(),
            Self::JensenShannon => -((-u).max(0.0) + (-u.abs()).exp().ln_1p()),
            Self::AlphaDivergence { alpha } if (alpha - 1.0).abs() < 1e-6 => u,
            Self::AlphaDivergence { alpha } => ((alpha - 1.0) * u).exp() / (alpha - 1.0),
        }
    }
}

/// `log(1 − exp u)` for `u < 0`.
fn log_one_minus_exp<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
    u: Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D, T>, D::Err> {
    // Near 0, 1 − exp u = −u (1 + u/2 + u²/6 + …), where subtracting from 1 would cancel.
    const NEAR: f64 = -0.01;
    const N_TERMS: u32 = 7;
    let near = u.try_ge(scalar::<E>(NEAR))?;
    let mut series = u.with_empty_tape().try_mul(scalar::<E>(1.0 / f64::from(N_TERMS)))?;
    for term in (2..N_TERMS).rev() {
        series = series
            .try_add(scalar::<E>(1.0))?
            .try_mul(u.with_empty_tape())?
            .try_mul(scalar::<E>(1.0 / f64::from(term)))?;
    }
    let near_value = series.try_add(scalar::<E>(1.0))?.try_mul(u.with_empty_tape())?.try_negate()?;
    let far_value = u.try_exp()?.try_negate()?.try_add(scalar::<E>(1.0))?;
    near.try_choose(near_value, far_value)?.try_ln()
}
