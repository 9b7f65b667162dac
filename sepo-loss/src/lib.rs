//! Preference losses as [dfdx](https://docs.rs/dfdx/0.13.0) expressions over per-token log-probabilities.
//!
//! **For**: anyone who has one log-probability a token, from any model, and wants a preference loss and its gradient.
//! [`evaluate`] takes slices and gives back the loss, the gradient for each row and TRL's metrics, in f64 on the host.
//! The functions underneath are generic over dfdx's dtype, device and tape, and also serve models built in dfdx.
//!
//! **Not for**: computing log-probabilities, choosing token weights (they come in as constants), averaging over
//! micro-batches or devices. A few compositions couple the pairs of a batch; they say so.
//!
//! ```
//! use sepo_loss::{LossBatch, Objective, PairRows, evaluate};
//! let pair = PairRows { chosen: 0..2, rejected: 2..4, chosen_nominal: 2.0, rejected_nominal: 2.0 };
//! let logps = [-1.0, -0.5, -2.0, -0.25];
//! let batch = LossBatch {
//!     logps: &logps,
//!     reference_logps: Some(&logps),
//!     weights: &[1.0; 4],
//!     pairs: &[pair],
//!     ..LossBatch::default()
//! };
//! let dpo = evaluate(&Objective::Dpo { beta: 0.1, label_smoothing: 0.0 }, &batch)?;
//! assert_eq!(dpo.loss_sum / dpo.n_units, 2f64.ln()); // the policy is still the reference
//! assert_eq!(dpo.dlogps, [-0.05, -0.05, 0.05, 0.05]);
//! # Ok::<(), sepo_loss::LossError>(())
//! ```
//!
//! # One algebra
//!
//! Every pairwise objective is `φ( β (h(U_w) − h(U_l)) − Γ )` with `U = Σ_t w_t u_t / N`, w the chosen and l the rejected
//! response, and perhaps something added. A [`Composition`] makes one choice a part:
//!
//! | part | item |
//! |---|---|
//! | `u_t`, what a token contributes | [`Statistic`] with a [`Divergence`]; [`log_ratio`] |
//! | `w_t`, weights, constant or learned | [`Weighting`]; [`TokenGrid`], [`SequenceRows`] |
//! | `Σ / N` | [`Reduction`]; [`weighted_sums`], [`reduce`] |
//! | whole responses, tokens, windows, segments; which with which | [`Partition`], [`Pairing`], [`UnitSum`] |
//! | `h` | [`Transform`] |
//! | Γ | [`Margin`] |
//! | φ, of a difference or of each response by itself | [`Link`], [`SideLink`] |
//! | what is added | [`Regularizers`] |
//! | all of these as keys of a TOML or JSON table | [`CompositionForm`] |
//! | named choices of all of these | [`Objective`]; all methods by name, with their settings and needs: [`Preset`] |
//!
//! # Adding a loss
//!
//! A new combination is a [`Composition`] value. A new term is a few lines of dfdx: here R-DPO (arXiv 2403.19159), DPO with
//! `α (|y_w| − |y_l|)` added inside the link. Its gradient needs no code.
//!
//! ```
//! use dfdx::prelude::*;
//! use sepo_loss::{Link, Reduction, SequenceRows, TokenGrid, log_ratio, reduce};
//! let (alpha, beta) = (0.5, 0.1);
//! let weights = [1.0; 5];
//! let side = |rows| TokenGrid::new(&[SequenceRows { rows, nominal: 1.0 }], &weights);
//! let (chosen, rejected) = (side(0..3)?, side(3..5)?);
//! let policy = Cpu::default().tensor_from_vec(vec![-1.0, -2.0, -0.5, -1.0, -3.0], (5,));
//! let u = log_ratio(policy.leaky_trace(), policy.clone(), 1.0)?; // the reference is the policy
//! let rejected_sum = reduce(u.with_empty_tape(), &rejected, Reduction::Sum)?;
//! let z = (reduce(u, &chosen, Reduction::Sum)? - rejected_sum) * beta;
//! let loss = Link::Logistic { label_smoothing: 0.0 }.losses(z + alpha * (3.0 - 2.0))?;
//! assert_eq!(loss.as_vec(), [(1.0 + (-0.5f64).exp()).ln()]);
//! assert!(loss.sum::<Rank0, _>().backward().get(&policy).as_vec()[0] < 0.0);
//! # Ok::<(), sepo_loss::LossError>(())
//! ```

#![forbid(unsafe_code)]

mod batch;
mod checked_batch;
mod classification;
mod composition;
mod composition_check;
mod constant;
mod distillation;
mod error;
mod evaluate;
mod form;
mod grid;
mod layout;
mod likelihood;
mod link;
mod losses;
mod margin;
mod metrics;
mod objective;
mod partition;
mod preset;
mod reduction;
mod regularizer;
mod side_link;
mod statistic;
mod transform;

pub use batch::{LossBatch, PairRows};
pub use classification::{cross_entropy, label_loss};
pub use composition::{Comparison, Composition, PairWeight, Weighting};
pub use constant::PerRow;
pub use distillation::distillation;
pub use error::{Input, LossError, Side};
pub use evaluate::{Evaluation, evaluate};
pub use form::CompositionForm;
pub use grid::{SequenceRows, TokenGrid};
pub use layout::PairLayout;
pub use likelihood::negative_log_likelihood;
pub use link::{CustomLink, Link, negative_log_sigmoid};
pub use margin::Margin;
pub use metrics::PairMetrics;
pub use objective::{IpoReduction, Normalizer, Objective};
pub use partition::{Pairing, Partition, UnitSum};
pub use preset::{Preset, Setting, WeightSource};
pub use reduction::{Reduction, reduce, weighted_sums};
pub use regularizer::{Barrier, L1, Nll, NllReduction, Regularizers, Square, TokenReward};
pub use side_link::{Baseline, SideLink};
pub use statistic::{Detach, Divergence, Statistic, TokenTerms, log_ratio};
pub use transform::Transform;
