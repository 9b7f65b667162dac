//! From a margin to a loss.

use std::fmt;

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::constant::{constant, scalar, values};

/// The loss as a function of the margin `z` of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Link {
    /// `−(1 − ε) log σ(z) − ε log σ(−z)`: a logistic loss whose label is wrong with probability ε.
    Logistic {
        /// ε, the probability that the label is wrong.
        label_smoothing: f64,
    },
    /// `[−(1 − ε) log σ(z) + ε log σ(−z)] / (1 − 2ε)`: the logistic loss without the bias of wrong labels (robust DPO,
    /// arXiv 2403.00409).
    Robust {
        /// ε, the probability that the label is wrong.
        label_smoothing: f64,
    },
    /// `σ(z) [log σ(z) − log(1 − ε)] + σ(−z) [log σ(−z) − log ε]`: the reverse KL divergence to labels that are wrong
    /// with probability ε (EXO, arXiv 2402.00856).
    Exo {
        /// ε > 0, the probability that the label is wrong.
        label_smoothing: f64,
    },
    /// `−log σ(z) (1 − m) + exp(−z) m` with `m = σ(z / τ)`: a logistic loss that becomes exponential (DiscoPOP, arXiv
    /// 2406.08414).
    #[serde(rename = "discopop")]
    DiscoPop {
        /// τ, the width of the change.
        temperature: f64,
    },
    /// `[exp(−(k + 1) z) / (k + 1) − exp(k z) / k] / 4`: BPO's scaled Basu divergence (arXiv 2505.19601), whose slope at
    /// 0 is the logistic loss's. It has no lower bound.
    Basu {
        /// k > 0.
        k: f64,
    },
    /// `max(0, 1 − z)`; its slope at `z = 1` is 0.
    Hinge,
    /// `(z − target)²`.
    Square {
        /// The margin at which the loss is 0.
        target: f64,
    },
    /// Any other function of the margin. It is code, and has no written form.
    #[serde(skip)]
    Custom(CustomLink),
}

/// A loss of the margin that is written outside of this crate, as a value and a slope.
///
/// # Examples
///
/// A Cauchy loss, `log(1 + (1 − z)²)`, with `−2 (1 − z) / (1 + (1 − z)²)` for its slope:
///
/// ```
/// use dfdx::prelude::*;
/// use sepo_loss::{CustomLink, Link};
///
/// let cauchy = CustomLink {
///     name: "cauchy",
///     loss: |z| ((1.0 - z).powi(2).ln_1p(), -2.0 * (1.0 - z) / (1.0 + (1.0 - z).powi(2))),
/// };
/// let z = Cpu::default().tensor_from_vec(vec![1.0, 0.0], (2,));
/// let losses = Link::Custom(cauchy).losses(z.leaky_trace())?;
/// assert_eq!(losses.as_vec(), [0.0, 2f64.ln()]);
/// assert_eq!(losses.sum::<Rank0, _>().backward().get(&z).as_vec(), [0.0, -1.0]);
/// # Ok::<(), CpuError>(())
/// ```
#[derive(Clone, Copy)]
pub struct CustomLink {
    /// What tells it from another one: two of the same name count as the same.
    pub name: &'static str,
    /// Loss and slope at a margin.
    pub loss: fn(f64) -> (f64, f64),
}

// Without the function's address, which is another one in every process: runs are told apart by this text.
impl fmt::Debug for CustomLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomLink").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for CustomLink {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Link {
    /// The loss of every margin in `z`, whatever its shape.
    ///
    /// # Errors
    ///
    /// The device's own, where an operation fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use dfdx::prelude::*;
    /// use sepo_loss::Link;
    ///
    /// let z = || Cpu::default().tensor_from_vec(vec![0.0, 3.0], (2,));
    /// assert_eq!(Link::Hinge.losses(z())?.as_vec(), [1.0, 0.0]);
    /// assert_eq!(Link::Square { target: 5.0 }.losses(z())?.as_vec(), [25.0, 4.0]);
    /// # Ok::<(), CpuError>(())
    /// ```
    pub fn losses<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
        self,
        z: Tensor<S, E, D, T>,
    ) -> Result<Tensor<S, E, D, T>, D::Err> {
        match self {
            Self::Logistic { label_smoothing: 0.0 } => negative_log_sigmoid(z),
            Self::Logistic { label_smoothing } => {
                // −log σ(−z) = z − log σ(z), so that the two terms are −log σ(z) + ε · z.
                let tilt = z.with_empty_tape().try_mul(scalar::<E>(label_smoothing))?;
                negative_log_sigmoid(z)?.try_add(tilt)
            }
            Self::Robust { label_smoothing } => {
                let share = label_smoothing / (1.0 - 2.0 * label_smoothing);
                let tilt = z.with_empty_tape().try_mul(scalar::<E>(share))?;
                negative_log_sigmoid(z)?.try_sub(tilt)
            }
            Self::Exo { label_smoothing } => {
                // log σ(−z) = log σ(z) − z.
                let right = negative_log_sigmoid(z.with_empty_tape())?.try_negate()?;
                let wrong = right.with_empty_tape().try_sub(z)?;
                let right = right
                    .with_empty_tape()
                    .try_exp()?
                    .try_mul(right - scalar::<E>((1.0 - label_smoothing).ln()))?;
                let wrong =
                    wrong.with_empty_tape().try_exp()?.try_mul(wrong - scalar::<E>(label_smoothing.ln()))?;
                right.try_add(wrong)
            }
            Self::DiscoPop { temperature } => {
                let modulation = sigmoid(z.with_empty_tape().try_mul(scalar::<E>(1.0 / temperature))?)?;
                let logistic = negative_log_sigmoid(z.with_empty_tape())?;
                let exponential = z.try_negate()?.try_exp()?;
                let change = exponential.try_sub(logistic.with_empty_tape())?.try_mul(modulation)?;
                logistic.try_add(change)
            }
            Self::Basu { k } => {
                let falling = z.with_empty_tape().try_mul(scalar::<E>(-(k + 1.0)))?.try_exp()?;
                let rising = z.try_mul(scalar::<E>(k))?.try_exp()?;
                let falling = falling.try_mul(scalar::<E>(0.25 / (k + 1.0)))?;
                falling.try_sub(rising.try_mul(scalar::<E>(0.25 / k))?)
            }
            Self::Hinge => z.try_negate()?.try_add(scalar::<E>(1.0))?.try_relu(),
            Self::Square { target } => z.try_sub(scalar::<E>(target))?.try_square(),
            Self::Custom(link) => {
                // The tangent at z: its value and its slope are those of the loss.
                let at = values(&z);
                let (losses, slopes): (Vec<f64>, Vec<f64>) = at.iter().map(|&z| (link.loss)(z)).unzip();
                let bases = at.iter().zip(&losses).zip(&slopes).map(|((z, loss), slope)| loss - slope * z);
                let (device, shape) = (z.device().clone(), *z.shape());
                let bases = constant::<S, E, D>(&device, &bases.collect::<Vec<_>>(), shape)?;
                z.try_mul(constant::<S, E, D>(&device, &slopes, shape)?)?.try_add(bases)
            }
        }
    }
}

/// `−log σ(z) = log(1 + exp(−z))`, the logistic loss.
///
/// # Numerics
///
/// Computed as `max(0, −z) + log(1 + e)` with `e = exp(−|z|)`, which overflows nowhere. Where `e ≤ 0.01`, `log(1 + e)`
/// is its series, since `1 + e` would round most of a small `e` away: value and slope keep their *relative* precision
/// (1e-13 in f64) until `e` itself underflows near `z = 745`. The slope at `z = 0`, where every run of DPO starts, is
/// −1/2: `|z|` is chosen from `z` and `−z`, because the derivative of dfdx's `abs` at 0 is 0, and dfdx's
/// `bce_with_logits` cancels in its slope for large `z`.
///
/// # Errors
///
/// The device's own, where an operation fails.
///
/// # Examples
///
/// ```
/// use dfdx::prelude::*;
/// use sepo_loss::negative_log_sigmoid;
///
/// let z = Cpu::default().tensor_from_vec(vec![0.0, -1e4, 1e4], (3,));
/// let losses = negative_log_sigmoid(z.leaky_trace())?;
/// assert_eq!(losses.as_vec(), [2f64.ln(), 1e4, 0.0]);
/// assert_eq!(losses.sum::<Rank0, _>().backward().get(&z).as_vec(), [-0.5, -1.0, 0.0]);
/// # Ok::<(), CpuError>(())
/// ```
pub fn negative_log_sigmoid<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D, T>, D::Err> {
    let not_negative = z.try_ge(E::default())?;
    let negated = z.with_empty_tape().try_negate()?;
    let magnitude = not_negative.try_choose(z, negated.with_empty_tape())?;
    let tail = log_one_plus(magnitude.try_negate()?.try_exp()?)?;
    tail.try_add(negated.try_relu()?)
}

/// `σ(z)`, to full relative precision for large negative `z`.
pub(crate) fn sigmoid<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
    z: Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D, T>, D::Err> {
    negative_log_sigmoid(z)?.try_negate()?.try_exp()
}

/// `log(1 + e)` for `e` in `0..=1`.
fn log_one_plus<S: Shape, E: Dtype, D: Device<E>, T: Tape<E, D>>(
    e: Tensor<S, E, D, T>,
) -> Result<Tensor<S, E, D, T>, D::Err> {
    // e − e²/2 + … by Horner's rule; at e = 0.01 the first term left out is 1e-16/9 of the first.
    const SMALL: f64 = 0.01;
    const N_TERMS: u32 = 8;
    let small = e.try_le(scalar::<E>(SMALL))?;
    let mut series = e.with_empty_tape().try_mul(scalar::<E>(-1.0 / f64::from(N_TERMS)))?;
    for term in (1..N_TERMS).rev() {
        let sign = if term % 2 == 1 { 1.0 } else { -1.0 };
        series = series.try_add(scalar::<E>(sign / f64::from(term)))?.try_mul(e.with_empty_tape())?;
    }
    let direct = e.try_add(scalar::<E>(1.0))?.try_ln()?;
    small.try_choose(series, direct)
}
