//! The objectives that a policy can be trained on.

use crate::composition::Composition;
use crate::error::{Input, LossError};
use crate::link::Link;
use crate::margin::Margin;
use crate::reduction::Reduction;
use crate::statistic::Statistic;

/// How [`Objective::Ipo`] reduces the log-ratios of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpoReduction {
    /// Weighted mean: TRL's reading, confirmed there with the authors.
    Mean,
    /// Weighted sum: the original code's. The best β differs from [`IpoReduction::Mean`]'s by a factor of about `|y|`.
    Sum,
}

/// What [`Objective::SePo`] divides the weighted sum of a response by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normalizer {
    /// Sum of the weights; the number of selected tokens where weights are 0 or 1. The authors' script.
    Count,
    /// `k · |y|`, share of tokens kept times the length of the response. The paper.
    Nominal,
}

/// A training objective over the per-token log-probabilities of preference pairs.
///
/// # Symbols
///
/// * `l_t`, the policy's log-probability of response token *t*; `l_ref,t`, the reference's.
/// * `w_t`, the weight of token *t*: 1 everywhere in the papers on whole responses, a 0/1 selection in SePO, any finite
///   number here. It multiplies the token's whole contribution, the reference's share included.
/// * `R = Σ_t w_t (l_t − l_ref,t)`, the log-ratio of a response; `S = Σ_t w_t l_t`, its log-probability; `W = Σ_t w_t`.
/// * σ, the logistic function; ε, `label_smoothing`, the probability that a label is wrong.
///
/// Subscripts w and l name the chosen and the rejected response, as in the papers. Weights of a constant `c` instead of 1
/// are the same as `c · β` where a response is summed, and change nothing where it is divided by `W`.
///
/// Objectives without a reference in their formula ignore `reference_logps`, also where a batch has them.
///
/// # Examples
///
/// ```
/// use sepo_loss::{Normalizer, Objective};
///
/// let sepo = Objective::SePo { gamma: 2.5, lambda: 0.0, normalizer: Normalizer::Count };
/// assert_eq!(sepo.name(), "sepo");
/// assert!(sepo.is_pairwise() && !sepo.needs_reference());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "there are a few of them in a run, and a copy is worth more")]
pub enum Objective {
    /// Supervised fine-tuning on the chosen response: `−S_w`, counted in weighted tokens.
    Sft,
    /// Direct preference optimization (arXiv 2305.18290, eq. 7): `−log σ(β (R_w − R_l))`; with ε > 0 its conservative
    /// form `−(1 − ε) log σ(z) − ε log σ(−z)`.
    Dpo {
        /// β > 0, strength of the tie to the reference.
        beta: f64,
        /// ε in `0 ≤ ε < 0.5`.
        label_smoothing: f64,
    },
    /// Identity preference optimization (arXiv 2310.12036, eq. 17): `(h_w − h_l − 1/(2β))²`, with `h = R` or `R / W`.
    Ipo {
        /// β > 0, called τ in the paper.
        beta: f64,
        /// Whether `h` is a mean or a sum.
        reduction: IpoReduction,
    },
    /// Hinge loss on DPO's margin (SLiC, arXiv 2305.10425; in this form arXiv 2309.06657): `max(0, 1 − β (R_w − R_l))`.
    Hinge {
        /// β > 0, scale of the margin.
        beta: f64,
    },
    /// Simple preference optimization (arXiv 2405.14734, eq. 6): `−log σ(β (S_w / W_w − S_l / W_l) − γ)`, with ε as in DPO.
    SimPo {
        /// β > 0, scale of the mean log-probabilities.
        beta: f64,
        /// γ, the target margin. It stands outside the product with β.
        gamma: f64,
        /// ε in `0 ≤ ε < 0.5`.
        label_smoothing: f64,
    },
    /// Selective preference optimization (arXiv 2408.13518): `−log σ(γ S_w / N_w − γ S_l / N_l − λ)`, where the weights
    /// select the key tokens and `N` counts them.
    SePo {
        /// γ > 0, scale of the mean log-probabilities of selected tokens.
        gamma: f64,
        /// λ, the target margin.
        lambda: f64,
        /// What `N` is.
        normalizer: Normalizer,
    },
    /// Distillation of the chosen response from a teacher at every token (AlignDistil, arXiv 2503.02832): `β / W_w · Σ_t w_t K_t / g_t`
    /// with `K_t = KL(π ‖ p*_t)`. The teacher's logits are `z_t + g_t (z_t − z'_t)`, z those of a model aligned by DPO and z' those of
    /// one aligned the other way round, and `g_t` grows with the distance of the two; see [`distillation`](crate::distillation).
    AlignDistil {
        /// β > 0, strength of the tie to the teacher.
        beta: f64,
        /// How far the teacher is moved on: `g_t = boost · ‖p_t − p'_t‖₁ + 0.001`.
        boost: f64,
    },
    /// Any other loss, choice by choice.
    Composed {
        /// What it is called.
        name: &'static str,
        /// Its choices.
        composition: Composition,
    },
}

impl Objective {
    /// A loss of that name, choice by choice.
    #[must_use]
    pub fn composed(name: &'static str, composition: Composition) -> Self {
        Self::Composed { name, composition }
    }

    /// Whether the loss reads the reference's log-probabilities.
    pub fn needs_reference(&self) -> bool {
        self.composition().is_some_and(|composition| composition.reads_reference())
    }

    /// What a batch has to bring besides log-probabilities and weights.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        match self {
            Self::AlignDistil { .. } => vec![Input::ReverseKls, Input::Extrapolations],
            _ => self.composition().map(|composition| composition.inputs()).unwrap_or_default(),
        }
    }

    /// Whether the loss compares the two responses of a pair.
    pub fn is_pairwise(&self) -> bool {
        !matches!(self, Self::Sft | Self::AlignDistil { .. })
    }

    /// The name in lower case, as on a command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Dpo { .. } => "dpo",
            Self::Ipo { .. } => "ipo",
            Self::Hinge { .. } => "hinge",
            Self::SimPo { .. } => "simpo",
            Self::SePo { .. } => "sepo",
            Self::AlignDistil { .. } => "aligndistil",
            Self::Composed { name, .. } => name,
        }
    }

    /// Nothing, if every setting has a meaning.
    ///
    /// [`evaluate`](crate::evaluate) asks this itself; ask earlier to refuse a configuration before work is done.
    ///
    /// # Errors
    ///
    /// [`LossError::SettingOutOfRange`] if β, or SePO's γ, is not a finite number above 0, if another setting is not
    /// finite, or if ε is outside `0 ≤ ε < 0.5`. [`LossError::Composition`] where parts exclude each other.
    ///
    /// # Examples
    ///
    /// ```
    /// use sepo_loss::Objective;
    ///
    /// assert!(Objective::Dpo { beta: 0.1, label_smoothing: 0.0 }.check().is_ok());
    /// assert!(Objective::Dpo { beta: 0.0, label_smoothing: 0.0 }.check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), LossError> {
        match *self {
            Self::Sft => Ok(()),
            Self::Dpo { beta, label_smoothing } => {
                self.check_scale("beta", beta)?;
                self.check_label_smoothing(label_smoothing)
            }
            Self::Ipo { beta, .. } | Self::Hinge { beta } => self.check_scale("beta", beta),
            Self::SimPo { beta, gamma, label_smoothing } => {
                self.check_scale("beta", beta)?;
                self.check_margin("gamma", gamma)?;
                self.check_label_smoothing(label_smoothing)
            }
            Self::SePo { gamma, lambda, .. } => {
                self.check_scale("gamma", gamma)?;
                self.check_margin("lambda", lambda)
            }
            Self::AlignDistil { beta, boost } => {
                self.check_scale("beta", beta)?;
                self.check_setting("boost", boost, boost >= 0.0 && boost.is_finite(), "0 <= value < infinity")
            }
            Self::Composed { name, composition } => composition.check(name),
        }
    }

    /// The choices that make the loss; `None` for [`Objective::Sft`] and [`Objective::AlignDistil`], which compare nothing.
    #[must_use]
    pub fn composition(&self) -> Option<Composition> {
        let dpo = Composition::default();
        let simpo = Composition { statistic: Statistic::LOGP, reduction: Reduction::WeightSum, ..dpo };
        let logistic = |label_smoothing| Link::Logistic { label_smoothing };
        Some(match *self {
            Self::Sft | Self::AlignDistil { .. } => return None,
            Self::Dpo { beta, label_smoothing } => {
                Composition { beta, ..dpo }.comparing(Margin::Constant(0.0), logistic(label_smoothing))
            }
            Self::Ipo { beta, reduction } => {
                let reduction = match reduction {
                    IpoReduction::Mean => Reduction::WeightSum,
                    IpoReduction::Sum => Reduction::Sum,
                };
                let link = Link::Square { target: 1.0 / (2.0 * beta) };
                Composition { beta: 1.0, reduction, ..dpo }.comparing(Margin::Constant(0.0), link)
            }
            Self::Hinge { beta } => Composition { beta, ..dpo }.comparing(Margin::Constant(0.0), Link::Hinge),
            Self::SimPo { beta, gamma, label_smoothing } => {
                Composition { beta, ..simpo }.comparing(Margin::Constant(gamma), logistic(label_smoothing))
            }
            Self::SePo { gamma, lambda, normalizer } => {
                let reduction = match normalizer {
                    Normalizer::Count => Reduction::WeightSum,
                    Normalizer::Nominal => Reduction::Nominal,
                };
                Composition { beta: gamma, reduction, ..simpo }
                    .comparing(Margin::Constant(lambda), logistic(0.0))
            }
            Self::Composed { composition, .. } => composition,
        })
    }

    fn check_scale(&self, setting: &'static str, value: f64) -> Result<(), LossError> {
        self.check_setting(setting, value, value > 0.0 && value.is_finite(), "0 < value < infinity")
    }

    fn check_margin(&self, setting: &'static str, value: f64) -> Result<(), LossError> {
        self.check_setting(setting, value, value.is_finite(), "the finite numbers")
    }

    fn check_label_smoothing(&self, value: f64) -> Result<(), LossError> {
        self.check_setting("label_smoothing", value, (0.0..0.5).contains(&value), "0 <= value < 0.5")
    }

    fn check_setting(
        &self,
        setting: &'static str,
        value: f64,
        accept: bool,
        accepted: &'static str,
    ) -> Result<(), LossError> {
        if accept {
            return Ok(());
        }
        Err(LossError::SettingOutOfRange { objective: self.name(), setting, part: setting, value, accepted })
    }
}
