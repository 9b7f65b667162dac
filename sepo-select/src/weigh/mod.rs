//! From scores to weights: the transforms of the token-level methods, one function each.
//!
//! All work in `f64` on one response, whatever the numbers come from: a `scores.parquet`, annotations of people, or the
//! policy of this very step. Weights are constants for the loss; none of these functions is differentiated.
//!
//! | function | weight of token `t` | method |
//! |---|---|---|
//! | [`ExpClamp::weight`] | `k · exp(±μ · clamp(s, low, high))` | TIS-DPO, the paper |
//! | [`rank_linear`] | from `low` to `high` by rank | TIS-DPO, the released code |
//! | [`Affine::weight`] | `1 ± slope · s` | TGDPO, `slope = α · β` |
//! | [`centred_sigmoid`] | `σ(s) − ½` | T-REG |
//! | [`one_minus`] | `1 − s` | critical tokens, on the rejected side |
//! | [`min_max`] | `(s − min) / (max − min)` | MaPO, and any score |
//! | [`threshold`] | 1 from a [`Level`] up | ConfPO, Selective-DPO, plain thresholds |
//! | [`Decay::weight`] | `γ^(t + 1)` | D2PO |
//! | [`SharedLength::weight`] | 1 up to the shorter response's length, then `α` | LD-DPO |
//! | [`change_points`], [`agreeing_segments`] | 1 where a segment's mean speaks for the side | ASR |
//! | [`sentence_weights`] | 1 in factual (chosen) or unfactual (rejected) sentences | Mask-DPO |
//! | [`aspect_weights`] | `Σ_a W_a · s_{k,a}` of its segment `k` | 2D-DPO |
//! | [`turn_weights`] | 1 in the turns that were told apart | SDPO |
//! | [`low_confidence_mask`] | 1 where the policy is less sure than on the mean | ConfPO |
//! | [`gap_mask`] | 1 from a quantile of the policy-reference gap up | Selective-DPO |
//! | [`transport_weights`] | mass of an optimal transport between hidden states | OTPO |
//! | [`activation_weights`] | mean activation, min-max over the response | MaPO |
//! | [`renormalize`] | scaled to a sum | OTPO, and any weights |
//!
//! What becomes of the rejected side is a [`SideRule`]. [`Rule`](crate::Rule) puts them to use on files of scores.

mod activation;
mod annotation;
mod change_points;
mod confidence;
mod error;
mod gap;
mod pointwise;
mod position;
mod segments;
mod side_rule;
mod spread;
mod threshold;
mod transport;

pub use activation::activation_weights;
pub use annotation::{aspect_weights, sentence_weights, turn_weights};
pub use change_points::{ChangePoints, agreeing_segments, change_points};
pub use confidence::low_confidence_mask;
pub use error::WeighError;
pub use gap::gap_mask;
pub use pointwise::{Affine, ExpClamp, centred_sigmoid, one_minus};
pub use position::{Decay, SharedLength};
pub use segments::Segments;
pub use side_rule::SideRule;
pub use spread::{RankLinear, min_max, rank_linear, renormalize};
pub use threshold::{Level, quantile, threshold};
pub use transport::{States, Transport, TransportWeights, transport_weights};
